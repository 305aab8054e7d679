"""What holds for every stored document."""

from __future__ import annotations

import mongoengine
import pytest
from bson import ObjectId
from pymongo import WriteConcern
from pymongo.errors import ServerSelectionTimeoutError, WriteConcernError
from structlog.testing import capture_logs

import worker
from models import store
from models.contact import Contact
from models.workspace import Member, Workspace


def test_every_document_can_be_read_with_fields_that_it_does_not_know() -> None:
    """Other versions of ours, and the rest of the CRM, write to the same collections."""
    parts = [
        part for part in mongoengine.EmbeddedDocument.__subclasses__() if part.__module__[:7] == "models."
    ]
    kinds = [*store.documents(), *parts]
    assert len(kinds) > 20
    assert [kind.__name__ for kind in kinds if kind._meta.get("strict", True)] == []


@pytest.mark.usefixtures("clean_store")
def test_fields_of_another_version_are_read_over_and_kept() -> None:
    workspace = Workspace(name="Acme", members=[Member(name="Ada", email="ada@acme.test")]).save()
    contact, _ = Contact.upsert(workspace.id, "grace@navy.test", {})
    company_id = ObjectId()
    Contact._get_collection().update_one({"_id": contact.id}, {"$set": {"company_id": company_id}})
    Workspace._get_collection().update_one({}, {"$set": {"plan": "team", "members.0.phone": "1"}})

    known, is_new = Contact.upsert(workspace.id, "grace@navy.test", {"first_name": "Grace"})
    assert (known.first_name, is_new) == ("Grace", False)
    Contact.objects.get().save()
    found = Workspace.objects.get()
    found.name = "Acme & Daughters"
    found.save()
    assert Contact._get_collection().find_one()["company_id"] == company_id
    stored = Workspace._get_collection().find_one()
    assert (stored["plan"], stored["members"][0]["phone"]) == ("team", "1")


@pytest.mark.usefixtures("clean_store")
def test_an_index_that_is_missing_is_named_until_it_is_there() -> None:
    assert store.missing_indexes() == []
    Contact._get_collection().drop_index("workspace_id_1_intent.due_at_1")
    assert store.missing_indexes() == ["contacts (workspace_id, intent.due_at)"]
    with capture_logs() as logs:
        worker.check_indexes()
    assert logs[0]["missing"] == ["contacts (workspace_id, intent.due_at)"]
    store.ensure_indexes()
    assert store.missing_indexes() == []


@pytest.mark.usefixtures("clean_store")
@pytest.mark.parametrize("count", [1, 2])
def test_rows_that_the_store_is_not_sure_of_do_not_count_as_inserted(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when its primary steps down, which may undo them; here it has fewer servers than shall confirm."""
    unsure = Contact._get_collection().with_options(write_concern=WriteConcern(w=3, wtimeout=100))
    monkeypatch.setattr(Contact, "_get_collection", lambda: unsure)
    rows = [{"workspace_id": ObjectId(), "email": f"{number}@navy.test"} for number in range(count)]
    with pytest.raises(WriteConcernError) as raised:
        store.insert_new(Contact, rows)
    assert store.is_away(raised.value)


def test_an_absent_store_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> list[str]:
        raise ServerSelectionTimeoutError

    monkeypatch.setattr(store, "missing_indexes", away)
    with capture_logs() as logs:
        worker.check_indexes()
    assert "store is away" in logs[0]["event"]
