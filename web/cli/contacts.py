"""`flask contacts …`: what became of a contact."""

from __future__ import annotations

from typing import Any

import click

from models.activity import Activity
from models.contact import Contact
from models.facts import of_contact
from models.workspace import Workspace
from web.cli import output
from web.cli.command import Group, example, json_option

TIMELINE = 20  # entries shown, the latest first

commands = Group("contacts", help="Contacts and their timelines.")


@commands.command("show", epilog=example("flask contacts show grace@hopper-navigation.test"))
@click.argument("email", metavar="EMAIL")
@json_option
def show(email: str, as_json: bool) -> None:
    """Show a contact by e-mail, in every workspace that knows it: score, owner, timeline."""
    # Named one by one, since the index on e-mails begins with the workspace.
    workspaces = list(Workspace.objects.scalar("id"))
    contacts = list(Contact.objects(workspace_id__in=workspaces, email=email.strip().lower()))
    if not contacts:
        raise click.ClickException(f"no workspace has a contact with the e-mail {email}")
    shown = [_facts(contact) for contact in contacts]
    if as_json:
        output.as_json(shown)
        return
    for facts in shown:
        timeline = facts.pop("timeline")
        output.fields((name.replace("_", " "), value) for name, value in facts.items())
        rows = ((entry["title"], entry["kind"], output.ago(entry["happened_at"])) for entry in timeline)
        output.table(["Timeline", "Kind", "When"], rows, empty="The timeline is empty.")


def _facts(contact: Contact) -> dict[str, Any]:
    known = of_contact(contact)
    workspace = Workspace.objects(id=contact.workspace_id).first()
    members = workspace.members if workspace else []
    owner = next((member.name for member in members if member.user_id == contact.assigned_to), None)
    entries = Activity.objects(contact_id=contact.id).order_by("-happened_at").limit(TIMELINE)
    return {
        "id": known["id"],
        "workspace": workspace.name if workspace else str(contact.workspace_id),
        "email": contact.email,
        "name": " ".join(part for part in (contact.first_name, contact.last_name) if part),
        "company": contact.company,
        "source": contact.source,
        "owner": owner,
        "lead_score": contact.lead_score,
        "lead_grade": contact.lead_grade,
        "reasons": list(contact.lead_score_reasons),
        "last_activity_at": contact.last_activity_at,
        "timeline": [
            {"kind": e.kind, "title": e.title, "happened_at": e.happened_at, "details": dict(e.details)}
            for e in entries
        ],
    }
