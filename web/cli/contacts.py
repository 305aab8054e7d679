"""`flask contacts …`: what became of a contact."""

from __future__ import annotations

from typing import Any

import click

from jobs import contact_erasure
from models import contact_lifecycle
from models.activity import About, Activity
from models.contact import Contact
from models.facts import of_contact
from models.suppression import Suppression
from models.workspace import Workspace
from web.cli import output, whoami
from web.cli.command import Group, example, json_option

TIMELINE = 20  # entries shown, the latest first

commands = Group("contacts", help="Contacts and their timelines.")


@commands.command("show", epilog=example("flask contacts show grace@hopper-navigation.test"))
@click.argument("email", metavar="EMAIL")
@json_option
def show(email: str, as_json: bool) -> None:
    """Show a contact by e-mail, in every workspace that knows it: score, owner, timeline."""
    shown = [_facts(contact) for contact in _known(email)]
    if as_json:
        output.as_json(shown)
        return
    for facts in shown:
        timeline = facts.pop("timeline")
        output.fields((name.replace("_", " "), value) for name, value in facts.items())
        rows = ((entry["title"], entry["kind"], output.ago(entry["happened_at"])) for entry in timeline)
        output.table(["Timeline", "Kind", "When"], rows, empty="The timeline is empty.")


@commands.command(
    "stage",
    epilog=example(
        "flask contacts stage grace@hopper-navigation.test --by-hand",
        "flask contacts stage grace@hopper-navigation.test --by-rule",
    ),
)
@click.argument("email", metavar="EMAIL")
@click.option("--by-hand/--by-rule", required=True, help="People alone decide on it, or the rules do again.")
@click.option("--workspace", metavar="ID", help="Only there; needed when several know the contact.")
@json_option
def stage(email: str, by_hand: bool, workspace: str | None, as_json: bool) -> None:
    """Who moves a contact along the lifecycle. By rule it moves at the next tick, if a step is due."""
    contact = only(email, workspace)
    contact_lifecycle.override(contact.workspace_id, contact.id, by_hand)
    if as_json:
        output.as_json({"contact": str(contact.id), "manual_override": by_hand})
        return
    who = "People alone decide" if by_hand else "The rules decide"
    click.echo(f"{who} on the stage of {contact.email}: it is {contact.lifecycle_stage}.")


@commands.command(
    "erase",
    epilog=example(
        "flask contacts erase grace@hopper-navigation.test",
        "flask contacts erase grace@hopper-navigation.test --workspace 000000000000000000acce01 --yes",
    ),
)
@click.argument("email", metavar="EMAIL")
@click.option("--workspace", metavar="ID", help="Only there; needed when several know the contact.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--by", default=whoami.user, help="Who does it; by default the user logged in.")
@json_option
def erase(email: str, workspace: str | None, yes: bool, by: str, as_json: bool) -> None:
    """Forget a person: everything about a contact, in the store and in Redis.

    What was stopped in the middle is completed by running it again.
    """
    contact = only(email, workspace)
    if not yes:
        click.confirm(f"Erase {contact.email} and all that is known about it?", abort=True, err=True)
    counts = contact_erasure.run(str(contact.workspace_id), str(contact.id), by)
    if as_json:
        output.as_json({"contact": str(contact.id), "erased": counts})
        return
    output.table(["Erased", "Number"], sorted(counts.items()), empty="Nothing was there any more.")
    click.echo(f"\nThe contact {contact.id} is erased. In an hour it is looked for what was still under way.")


def _known(email: str) -> list[Contact]:
    # Named one by one, since the index on e-mails begins with the workspace.
    workspaces = list(Workspace.objects.scalar("id"))
    contacts = list(Contact.objects(workspace_id__in=workspaces, email=email.strip().lower()))
    if not contacts:
        raise click.ClickException(f"no workspace has a contact with the e-mail {email}")
    return contacts


def only(email: str, workspace: str | None) -> Contact:
    """The one contact of that address, there if a workspace is named. Raises `ClickException`."""
    found = [c for c in _known(email) if workspace in (None, str(c.workspace_id))]
    if not found:
        raise click.ClickException(f"the workspace {workspace} has no contact with the e-mail {email}")
    if len(found) > 1:
        ids = ", ".join(str(contact.workspace_id) for contact in found)
        raise click.ClickException(f"several workspaces know {email}: name one with --workspace ({ids})")
    return found[0]


def _facts(contact: Contact) -> dict[str, Any]:
    known = of_contact(contact)
    workspace = Workspace.objects(id=contact.workspace_id).first()
    members = workspace.members if workspace else []
    owner = next((member.name for member in members if member.user_id == contact.assigned_to), None)
    suppressed = Suppression.of(contact.workspace_id, contact.email)
    entries = Activity.timeline(contact.workspace_id, About(contact_id=contact.id), TIMELINE)
    return {
        "id": known["id"],
        "workspace": workspace.name if workspace else str(contact.workspace_id),
        "email": contact.email,
        "name": " ".join(part for part in (contact.first_name, contact.last_name) if part),
        "company": contact.company,
        "company_id": known["companyId"],
        "source": contact.source,
        "owner": owner,
        "lead_score": contact.lead_score,
        "lead_grade": contact.lead_grade,
        "reasons": list(contact.lead_score_reasons),
        "intent_score": contact.intent_score or 0,
        "stage": contact.lifecycle_stage,
        "manual_override": bool(contact.manual_override),
        "no_mail": suppressed.reason if suppressed else None,
        "last_activity_at": contact.last_activity_at,
        "timeline": [
            {"kind": e.kind, "title": e.title, "happened_at": e.happened_at, "details": dict(e.details)}
            for e in entries
        ],
    }
