"""The demo workspace: what a newcomer finds. Loading it again changes nothing, whatever was edited since."""

from __future__ import annotations

from dataclasses import dataclass

from bson import ObjectId
from mongoengine import Document

from models import store
from models.contact import Contact
from models.form import Form, FormField
from models.trigger import Trigger, TriggerCondition
from models.workspace import Member, Workspace
from publishers import contacts, events

# Fixed, so that loading twice finds what is there, and the README's examples work as they stand.
WORKSPACE_ID = ObjectId("000000000000000000acce01")
FORM_ID = ObjectId("000000000000000000acce02")
TRIGGER_ID = ObjectId("000000000000000000acce03")
MEMBERS = (
    ("000000000000000000acce11", "Ada Lindqvist", "ada@acme.test", "admin"),
    ("000000000000000000acce12", "Ben Okafor", "ben@acme.test", "operator"),
    ("000000000000000000acce13", "Carla Mendes", "carla@acme.test", "operator"),
)
CONTACTS = (
    ("grace@hopper-navigation.test", "Grace", "Holm", "Hopper Navigation", "Chief Technology Officer"),
    ("tomas@brightmill.test", "Tomáš", "Novák", "Brightmill", "Head of Purchasing"),
    ("yuki@kumo-logistics.test", "Yuki", "Tanaka", "Kumo Logistics", "Operations Manager"),
    ("amara@saltandpine.test", "Amara", "Eze", "Salt & Pine", "Founder"),
    ("lena.vogt@gmx.de", "Lena", "Vogt", None, None),
)
FORM_FIELDS = (
    ("email", "E-mail", True),
    ("firstName", "First name", False),
    ("lastName", "Last name", False),
    ("company", "Company", False),
    ("message", "Message", False),
)


@dataclass(frozen=True)
class Loaded:
    """What the demo consists of, and how much of it this call added."""

    workspace_id: str
    form_id: str
    name: str
    members: int
    contacts: int
    added: int


def load() -> Loaded:
    """Put the demo into the store; with Redis away its events wait in the ledger. Safe to run twice."""
    store.ensure_indexes()
    added = [_put(_workspace()), _put(_form()), _put(_automation()), *_contacts(), *_mailbox()]
    return Loaded(str(WORKSPACE_ID), str(FORM_ID), "Acme", len(MEMBERS), len(CONTACTS), sum(added))


def _workspace() -> Workspace:
    return Workspace(
        id=WORKSPACE_ID,
        name="Acme",
        members=[
            Member(user_id=ObjectId(user_id), name=name, email=email, role=role)
            for user_id, name, email, role in MEMBERS
        ],
        allowed_origins=["http://localhost:*", "http://127.0.0.1:*"],
    )


def _form() -> Form:
    fields = [FormField(name=name, label=label, is_required=needed) for name, label, needed in FORM_FIELDS]
    return Form(id=FORM_ID, workspace_id=WORKSPACE_ID, name="Talk to us", fields=fields)


def _automation() -> Trigger:
    return Trigger(
        id=TRIGGER_ID,
        workspace_id=WORKSPACE_ID,
        name="Tell the owner about a contact who came by a form",
        event_type="contact.created",
        conditions=[TriggerCondition(field="event.source", operator="equals", value="form")],
        actions=[{"type": "notify", "message": "{{contact.firstName|Somebody}} filled in a form: say hello"}],
    )


def _contacts() -> list[bool]:
    """Known by their e-mails. As imports they are scored and owned, and get no welcome e-mail."""
    added, created = [], []
    for email, first_name, last_name, company, job_title in CONTACTS:
        fields = {"first_name": first_name, "last_name": last_name, "company": company}
        contact, is_new = Contact.upsert(
            WORKSPACE_ID, email, fields | {"job_title": job_title, "source": "import"}, overwrite=False
        )
        added.append(is_new)
        created.append(contact)
    with events.batch():
        for contact in created:  # again for those that are there: a died first run is made up for
            contacts.created(contact, source="import")
    return added


def _mailbox() -> list[bool]:
    """The demo's mailbox and its welcome e-mail: one entry per document added."""
    return []


def _put(document: Document) -> bool:
    """Store it unless one of its id is there; returns whether it is new."""
    document.validate()
    fields = document.to_mongo().to_dict()
    key = {"_id": fields.pop("_id")}
    result = document._get_collection().update_one(key, {"$setOnInsert": fields}, upsert=True)
    return result.upserted_id is not None
