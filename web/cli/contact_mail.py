"""`flask contacts unsubscribe` and `resubscribe`: whether jobs and automations write to a contact."""

from __future__ import annotations

from typing import Any

import click

from models import store
from models.contact import Contact
from models.suppression import Suppression
from publishers import emails
from web.cli import output
from web.cli.command import example, json_option
from web.cli.contacts import commands, only

workspace_option = click.option(
    "--workspace", metavar="ID", help="Only there; needed when several know the contact."
)


@commands.command("unsubscribe", epilog=example("flask contacts unsubscribe grace@hopper-navigation.test"))
@click.argument("email", metavar="EMAIL")
@workspace_option
@json_option
def unsubscribe(email: str, workspace: str | None, as_json: bool) -> None:
    """Send a contact no more mail, at its request. Its sequences end."""
    contact = only(email, workspace)
    moment = store.now()
    Suppression.add(contact.workspace_id, [contact.email], "unsubscribed", moment)  # at once; the event tells
    emails.unsubscribed(contact, method="manual", at=moment)
    _print(contact, as_json)


@commands.command("resubscribe", epilog=example("flask contacts resubscribe grace@hopper-navigation.test"))
@click.argument("email", metavar="EMAIL")
@workspace_option
@json_option
def resubscribe(email: str, workspace: str | None, as_json: bool) -> None:
    """Allow mail to a contact again: it asked for it, or its address works by now."""
    contact = only(email, workspace)
    if not Suppression.lift(contact.workspace_id, contact.email):
        raise click.ClickException(f"mail to {contact.email} is allowed as it is")
    _print(contact, as_json)


def _print(contact: Contact, as_json: bool) -> None:
    known = Suppression.of(contact.workspace_id, contact.email)
    facts: dict[str, Any] = {"contact": str(contact.id), "suppressed": known.reason if known else None}
    if as_json:
        output.as_json(facts)
    else:
        says = "gets no more mail" if known else "may get mail again"
        click.echo(f"{contact.email} {says}.")
