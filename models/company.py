"""A company that contacts of a workspace work for, known by its name."""

from __future__ import annotations

import hashlib

from bson import ObjectId
from mongoengine import DateTimeField, Document, ObjectIdField, StringField

from models.contact import Contact
from models.personal import Person, delete
from models.store import now

ID_BYTES = 12  # of an ObjectId


class Company(Document):
    """Its id is a hash of workspace and name, so that whoever names it first creates it."""

    id = ObjectIdField(primary_key=True)
    workspace_id = ObjectIdField(required=True)
    name = StringField(required=True)  # as it was first written
    created_at = DateTimeField(default=now)

    meta = {
        "collection": "companies",
        "auto_create_index": False,
        "strict": False,
    }

    @classmethod
    def join(cls, contact: Contact) -> bool:
        """Let the contact belong to the company that it names; returns whether it does now.

        Safe to run twice, and while the contact changes its company: who comes too late changes nothing.
        """
        plain = _plain(contact.company or "")
        if not plain:
            return False
        company_id = _id(contact.workspace_id, plain)
        row = {"workspace_id": contact.workspace_id, "name": contact.company.strip(), "created_at": now()}
        cls._get_collection().update_one({"_id": company_id}, {"$setOnInsert": row}, upsert=True)
        mine = Contact.objects(id=contact.id, company=contact.company)
        return bool(mine.update_one(set__company_id=company_id, full_result=True).matched_count)

    @classmethod
    def erase(cls, person: Person) -> int:
        """Delete the company of a person who was alone in it: its name may be theirs."""
        contact = Contact.objects(id=person.contact_id, workspace_id=person.workspace_id).first()
        if contact is None or contact.company_id is None:
            return 0
        if Contact.objects(company_id=contact.company_id, id__ne=contact.id).only("id").first():
            return 0
        return delete(cls, {"_id": contact.company_id, "workspace_id": person.workspace_id})


def _plain(name: str) -> str:
    """The name whatever its case, spaces and full stops; `Acme` and `Acme Inc` are two companies."""
    return " ".join(name.casefold().replace(".", " ").replace(",", " ").split())


def _id(workspace_id: ObjectId, plain: str) -> ObjectId:
    return ObjectId(hashlib.sha256(f"{workspace_id}\0{plain}".encode()).digest()[:ID_BYTES])
