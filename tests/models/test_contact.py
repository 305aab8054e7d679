"""Contacts: created once per e-mail, updated without being loaded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from models import contact as contact_module
from models.contact import CUSTOM_FIELDS_SIZE, MOST_TAGS, Contact, ContactFull
from models.deal import Deal
from models.store import now

pytestmark = pytest.mark.usefixtures("clean_store")
WORKSPACE = ObjectId()


def upsert(fields: dict[str, Any], **options: Any) -> Contact:
    return Contact.upsert(WORKSPACE, "grace@navy.test", fields, **options)[0]


def test_an_email_is_one_contact_in_its_workspace_however_it_is_written() -> None:
    first, is_new = Contact.upsert(WORKSPACE, " Grace@Navy.TEST ", {})
    second, is_new_again = Contact.upsert(WORKSPACE, "grace@navy.test", {})
    other, is_new_elsewhere = Contact.upsert(ObjectId(), "grace@navy.test", {})
    assert (first.id, is_new, is_new_again, is_new_elsewhere) == (second.id, True, False, True)
    assert other.id != first.id


def test_eight_callers_at_once_create_one_contact_and_one_of_them_did() -> None:
    def create(number: int) -> tuple[ObjectId, bool]:
        contact, is_new = Contact.upsert(
            WORKSPACE, "grace@navy.test", {"phone": str(number)}, announce_as="api"
        )
        return contact.id, is_new

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(8)))
    assert len({contact_id for contact_id, _ in made}) == 1
    assert [is_new for _, is_new in made].count(True) == 1
    assert "created:api" in Contact.objects.get().unannounced


def test_none_is_not_given_and_changes_nothing() -> None:
    upsert({"first_name": "Grace"})
    assert upsert({"first_name": None, "company": None}).first_name == "Grace"


def test_without_overwrite_only_empty_fields_are_filled() -> None:
    upsert({"first_name": "Grace", "custom_fields": {"plan": "team"}, "tags": ["a"]})
    fields = {"first_name": "G", "company": "Navy", "custom_fields": {"plan": "x", "size": 2}, "tags": ["b"]}
    contact = upsert(fields, overwrite=False)
    assert (contact.first_name, contact.company, contact.tags) == ("Grace", "Navy", ["a", "b"])
    assert contact.custom_fields == {"plan": "team", "size": 2}


def test_with_overwrite_what_is_given_wins_and_tags_and_other_custom_fields_stay() -> None:
    upsert({"first_name": "Grace", "custom_fields": {"plan": "team", "size": 2}, "tags": ["a", "b"]})
    contact = upsert({"first_name": "G", "custom_fields": {"plan": "x"}, "tags": ["b", "c"]})
    assert (contact.first_name, contact.tags) == ("G", ["a", "b", "c"])
    assert contact.custom_fields == {"plan": "x", "size": 2}


@pytest.mark.parametrize("overwrite", [True, False])
def test_what_changes_nothing_leaves_the_contact_as_it_is(overwrite: bool) -> None:
    fields = {"first_name": "Grace", "tags": ["a", "b"], "custom_fields": {"plan": {"a": 1}, "size": 2}}
    upsert(fields, announce_as="api").announced()
    before = Contact.objects.get().to_mongo()
    upsert(fields | {"tags": ["b"], "custom_fields": {"size": 2}}, overwrite=overwrite, announce_as="api")
    after = Contact.objects.get()
    assert after.to_mongo() == before
    assert not after.unannounced


def test_a_change_moves_updated_at() -> None:
    contact = upsert({"first_name": "Grace"})
    Contact.objects.update(set__updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert upsert({"first_name": "G"}).updated_at >= contact.updated_at


def test_what_is_to_be_announced_is_noted_until_it_is() -> None:
    new = upsert({"first_name": "Grace"}, announce_as="form")
    assert (new.unannounced, new.source) == (["created:form"], "form")
    new.announced()
    assert not Contact.objects.get().unannounced

    changed = upsert({"first_name": "G", "company": "Navy", "phone": None}, announce_as="api")
    assert sorted(changed.unannounced) == ["company", "first_name"]
    filled = upsert({"first_name": "Other", "phone": "1"}, overwrite=False, announce_as="api")
    assert sorted(filled.unannounced) == ["company", "first_name", "phone"]


def test_news_that_came_since_is_not_cleared() -> None:
    earlier = upsert({"first_name": "Grace"}, announce_as="api")
    upsert({"company": "Navy"}, announce_as="api")
    earlier.announced()
    assert sorted(Contact.objects.get().unannounced) == ["company", "created:api"]


def test_without_announcement_nothing_is_noted() -> None:
    upsert({"first_name": "Grace"})
    assert not upsert({"first_name": "G"}).unannounced


def test_a_contact_that_has_an_owner_keeps_it() -> None:
    contact, first, second = upsert({}), ObjectId(), ObjectId()
    assert contact.assign(first, "test")
    assert not contact.assign(second, "test")
    assert Contact.objects.get().assigned_to == first


def test_the_last_activity_only_moves_forward() -> None:
    contact, noon = upsert({}), datetime(2026, 1, 31, 12, tzinfo=UTC)
    for at in (noon, noon - timedelta(hours=1)):
        Contact.touch(contact.workspace_id, {contact.id: at})
    assert Contact.objects.get().last_activity_at == noon


def test_another_workspace_touches_neither_the_contact_nor_its_deals() -> None:
    contact, noon = upsert({}), datetime(2026, 1, 31, 12, tzinfo=UTC)
    Deal(workspace_id=contact.workspace_id, contact_ids=[contact.id], title="Seats").save()
    for workspace_id, stamped in ((ObjectId(), None), (contact.workspace_id, noon)):
        Contact.touch(workspace_id, {contact.id: noon})
        assert Deal.touch(workspace_id, {contact.id: noon}) == (1 if stamped else 0)
        assert Contact.objects.get().last_activity_at == Deal.objects.get().last_activity_at == stamped


def test_a_contact_only_grows_to_its_limit_and_then_nothing_changes() -> None:
    half = "x" * (CUSTOM_FIELDS_SIZE // 2)
    upsert({"custom_fields": {"a": half}})
    for overwrite in (True, False):
        with pytest.raises(ContactFull, match="customFields"):
            upsert({"first_name": "Grace", "custom_fields": {"b": half}}, overwrite=overwrite)
    assert upsert({"custom_fields": {"a": half[1:]}, "company": "Navy"}).company == "Navy"
    contact = Contact.objects.get()
    assert (contact.first_name, set(contact.custom_fields)) == (None, {"a"})


def test_tags_have_their_limit_too() -> None:
    upsert({"tags": [str(number) for number in range(MOST_TAGS)]})
    assert len(upsert({"tags": ["0", "1"]}).tags) == MOST_TAGS
    with pytest.raises(ContactFull, match="tags"):
        upsert({"tags": ["one too many"]})


def test_a_contact_is_not_created_beyond_its_limit() -> None:
    with pytest.raises(ContactFull):
        upsert({"custom_fields": {"a": "x" * CUSTOM_FIELDS_SIZE}})
    assert not Contact.objects.count()


def test_a_change_with_a_key_is_made_once_whatever_happens_in_between() -> None:
    contact, _ = Contact.upsert(WORKSPACE, "a@b.test", {"company": "Navy", "tags": ["a", "b"]})
    change = ("key-1", {"company": "$Army", "custom_fields": {"plan": "$team"}}, ["c", "a"], ["b", "x"])
    assert contact.change_once(*change)
    changed = contact.reload()
    assert (changed.company, changed.custom_fields) == ("$Army", {"plan": "$team"})
    assert changed.tags == ["a", "c"]

    Contact.objects.update(set__company="Air Force")
    assert not contact.change_once(*change)
    assert contact.reload().company == "Air Force"
    assert contact.change_once("key-2", *change[1:])


def test_what_a_change_would_change_is_known_before() -> None:
    contact, _ = Contact.upsert(
        WORKSPACE, "a@b.test", {"company": "Navy", "tags": ["a"], "custom_fields": {"plan": "team"}}
    )
    same: dict[str, Any] = {"company": "Navy", "custom_fields": {"plan": "team"}}
    assert contact.would_change(same, ["a"], ["b"]) == []
    other: dict[str, Any] = {"company": "Army", "phone": "1", "custom_fields": {"plan": None}}
    assert contact.would_change(other, [], ["a"]) == ["company", "phone", "custom_fields", "tags"]


def test_only_the_latest_changes_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_module, "CHANGE_KEYS", 3)
    contact, _ = Contact.upsert(WORKSPACE, "a@b.test", {})
    for number in range(5):
        contact.change_once(f"key-{number}", {}, [str(number)], [])

    assert contact.reload().change_keys == ["key-2", "key-3", "key-4"]


def test_a_change_that_the_contact_has_no_room_for_changes_nothing() -> None:
    contact, _ = Contact.upsert(WORKSPACE, "a@b.test", {"tags": [str(n) for n in range(500)]})
    with pytest.raises(ContactFull):
        contact.change_once("key", {"company": "Army"}, ["one more"], [])

    assert (contact.reload().company, contact.change_keys) == (None, [])


@pytest.mark.parametrize(
    "change",
    [
        lambda made: Contact.upsert(made.workspace_id, made.email, {"status": "lost"}),
        lambda made: Contact.amend(made.workspace_id, made.id, {"status": "lost"}),
        lambda made: made.change_once("key", {"status": "lost"}, [], []),
        lambda made: setattr(made, "status", "lost") or made.save(),
    ],
    ids=["upsert", "amend", "change_once", "save"],
)
def test_a_change_of_the_status_has_its_moment(change: Callable[[Contact], Any]) -> None:
    made = Contact.upsert(ObjectId(), "grace@navy.test", {})[0]
    long_ago = now() - timedelta(days=99)
    made.update(set__status_changed_at=long_ago)
    Contact.upsert(made.workspace_id, made.email, {"status": "lead", "last_name": "Hopper"})
    made.reload()
    made.save()
    assert made.reload().status_changed_at == long_ago
    before = now()
    change(made)
    assert made.reload().status == "lost"
    assert before <= made.status_changed_at <= now()


def test_a_new_contacts_status_is_of_its_first_moment() -> None:
    before = now()
    made = Contact.upsert(ObjectId(), "grace@navy.test", {"status": "unqualified"})[0]
    assert before <= made.reload().status_changed_at <= now()
