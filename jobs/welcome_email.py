"""Send a workspace's welcome e-mail to one new contact, once."""

from __future__ import annotations

from bson import ObjectId

from jobs import single_mail
from models import facts
from models.contact import Contact
from models.workspace import Workspace
from services import merge_fields


def send(contact_id: str) -> str:
    """Send it; returns what became of it, as `single_mail.send_once` says, or why there was nothing to do.

    Safe to run twice: one attempt per contact. Raises what `send_once` does.
    """
    contact = Contact.objects(id=ObjectId(contact_id)).first()
    workspace = Workspace.objects(id=contact.workspace_id).first() if contact else None
    if not workspace or not workspace.welcome_email:
        return "not wanted any more"
    welcome = workspace.welcome_email
    known = {"contact": facts.of_contact(contact)}
    return single_mail.send_once(
        key=f"welcome:{contact_id}",
        name=f"welcome.{contact_id}",
        account=single_mail.sender(welcome.account_id, workspace.id, "welcome e-mail"),
        contact=contact,
        subject=merge_fields.render(welcome.subject, known),
        text=merge_fields.render(welcome.body, known),
    )
