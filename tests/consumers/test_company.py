"""Contacts belong to the company that they name, and its timeline is theirs."""

from __future__ import annotations

import pytest
from bson import ObjectId

from models.activity import About, Activity
from models.company import Company
from models.contact import Contact
from models.workspace import Workspace
from schemas.contact import ContactCreated, ContactUpdated
from tests.reactions import RunJobs, happens


def ids(contact: Contact) -> dict[str, str]:
    return {"workspace_id": str(contact.workspace_id), "contact_id": str(contact.id)}


def hired(workspace: Workspace, name: str, company: str | None, run_jobs: RunJobs) -> Contact:
    contact, _ = Contact.upsert(workspace.id, f"{name}@navy.test", {"company": company})
    happens(ContactCreated(**ids(contact), source="form"), run_jobs)
    return contact.reload()


def test_who_names_the_same_company_belongs_to_one(acme: Workspace, run_jobs: RunJobs) -> None:
    grace = hired(acme, "grace", "Navy Corp.", run_jobs)
    joan = hired(acme, "joan", " navy  corp", run_jobs)
    other = hired(Workspace(name="Other").save(), "betty", "Navy Corp.", run_jobs)
    assert grace.company_id == joan.company_id != other.company_id
    assert [(c.name, c.workspace_id) for c in Company.objects(workspace_id=acme.id)] == [
        ("Navy Corp.", acme.id)
    ]

    entries = Activity.timeline(acme.id, About(company_id=grace.company_id), 9)
    assert {entry.contact_id for entry in entries} == {grace.id, joan.id}


@pytest.mark.parametrize("company", [None, "", " . "])
def test_who_names_none_belongs_to_none(acme: Workspace, run_jobs: RunJobs, company: str | None) -> None:
    assert hired(acme, "grace", company, run_jobs).company_id is None
    assert Company.objects.count() == 0


def test_who_changes_the_company_belongs_to_the_new_one(acme: Workspace, run_jobs: RunJobs) -> None:
    grace = hired(acme, "grace", "Navy", run_jobs)
    before = grace.company_id
    Contact.upsert(acme.id, grace.email, {"company": "Remington Rand"})
    happens(ContactUpdated(**ids(grace), changed=["company"]), run_jobs)
    assert grace.reload().company_id not in (None, before)
    assert Company.objects.get(id=grace.company_id).name == "Remington Rand"


def test_what_others_say_of_its_company_stays_while_the_name_does(acme: Workspace, run_jobs: RunJobs) -> None:
    theirs = ObjectId()
    grace, _ = Contact.upsert(acme.id, "grace@navy.test", {"company": "Navy", "company_id": theirs})
    happens(ContactUpdated(**ids(grace), changed=["jobTitle"]), run_jobs)
    assert grace.reload().company_id == theirs


def test_who_comes_too_late_changes_nothing(acme: Workspace, run_jobs: RunJobs) -> None:
    grace = hired(acme, "grace", "Navy", run_jobs)
    late = Contact.objects.get(id=grace.id)
    late.company = "Before that"
    assert not Company.join(late)
    assert grace.reload().company_id == Company.objects.get(name="Navy").id
