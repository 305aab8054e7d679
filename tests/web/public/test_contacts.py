"""Contacts by their e-mail, from a workspace's own servers and pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from models.activity import Activity
from models.contact import CUSTOM_FIELDS_SIZE, Contact
from models.event import EventRecord
from publishers import contacts
from tests.web.public.conftest import CONTACTS, Api

FULL = {
    "firstName": "Grace",
    "lastName": "Hopper",
    "company": "Navy",
    "jobTitle": "Admiral",
    "phone": "+1 555 0100",
    "source": "landing-page",
    "tags": ["cobol", "navy"],
    "customFields": {"plan": "team", "seats": 3},
}


def test_a_new_contact_is_stored_published_scored_and_on_the_timeline(
    api: Api, run_jobs: Callable[[], int]
) -> None:
    answer = api.contact("Grace@Navy.test", **FULL)

    contact = Contact.objects.get()
    data = {"contactId": str(contact.id), "isNew": True}
    assert (answer.status_code, answer.json) == (200, {"success": True, "data": data})
    assert (contact.email, contact.first_name, contact.last_name) == ("grace@navy.test", "Grace", "Hopper")
    assert (contact.company, contact.job_title, contact.phone) == ("Navy", "Admiral", "+1 555 0100")
    assert (contact.source, contact.tags) == ("landing-page", ["cobol", "navy"])
    assert contact.custom_fields == {"plan": "team", "seats": 3}
    assert [(r.type, r.payload["source"]) for r in EventRecord.objects] == [("contact.created", "api")]
    run_jobs()
    contact.reload()
    assert contact.lead_score
    assert contact.assigned_to == api.workspace.members[0].user_id
    assert {entry.kind for entry in Activity.objects} == {"contact_created", "contact_owner_assigned"}


def test_a_known_contact_is_overwritten_and_the_event_names_what_changed(api: Api) -> None:
    contact_id = api.contact(**FULL).json["data"]["contactId"]
    answer = api.contact(" GRACE@navy.test", firstName="Amazing", lastName="Hopper", tags=["navy", "vip"])

    assert answer.json["data"] == {"contactId": contact_id, "isNew": False}
    contact = Contact.objects.get()
    assert (contact.first_name, contact.company) == ("Amazing", "Navy")
    assert contact.tags == ["cobol", "navy", "vip"]
    updated = EventRecord.objects.get(type="contact.updated")
    assert sorted(updated.payload["changed"]) == ["firstName", "tags"]


def test_sending_the_same_again_changes_and_publishes_nothing(api: Api) -> None:
    api.contact(**FULL)
    before = Contact.objects.get().to_mongo()
    assert api.contact(**FULL).json["data"]["isNew"] is False
    assert Contact.objects.get().to_mongo() == before
    assert EventRecord.objects.count() == 1


def test_a_blank_field_is_not_given_and_blanks_nothing(api: Api) -> None:
    api.contact(**FULL)
    api.contact(firstName="", lastName="  ", company=None)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.last_name, contact.company) == ("Grace", "Hopper", "Navy")


def test_the_source_of_a_known_contact_stays_unless_another_is_given(api: Api) -> None:
    Contact.upsert(api.workspace.id, "grace@navy.test", {"source": "import"})
    api.contact(firstName="Grace")
    assert Contact.objects.get().source == "import"


def test_an_import_says_so_in_its_event_so_that_it_gets_no_welcome(api: Api) -> None:
    api.contact(source="import")
    assert EventRecord.objects.get().payload["source"] == "import"


def test_a_contact_that_others_keep_without_an_event_is_not_announced_as_new(api: Api) -> None:
    Contact.upsert(api.workspace.id, "grace@navy.test", {})
    api.contact(firstName="Grace")
    assert [record.type for record in EventRecord.objects] == ["contact.updated"]


def test_text_that_looks_like_an_operator_is_text(api: Api) -> None:
    api.contact(firstName="$last_name", tags=["$tags"], customFields={"a": {"b": "$email"}})
    api.contact(firstName="$company", tags=["$$ROOT"])
    contact = Contact.objects.get()
    assert (contact.first_name, contact.tags) == ("$company", ["$tags", "$$ROOT"])
    assert contact.custom_fields == {"a": {"b": "$email"}}


@pytest.mark.parametrize("die_at", [(EventRecord, "accept"), (Contact, "announced")])
@pytest.mark.parametrize("is_known", [False, True])
def test_a_retry_publishes_once_what_a_crash_held_back(
    api: Api, monkeypatch: pytest.MonkeyPatch, die_at: tuple[type, str], is_known: bool
) -> None:
    if is_known:
        Contact.upsert(api.workspace.id, "grace@navy.test", {"company": "Navy"})

    def die(*_: object) -> None:
        raise AutoReconnect("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(*die_at, die)
        assert api.contact(firstName="Grace").status_code == 503
    answer = api.contact(firstName="Grace")
    assert answer.status_code == 200

    kind = "contact.updated" if is_known else "contact.created"
    assert [record.type for record in EventRecord.objects] == [kind]
    assert not Contact.objects.get().unannounced


@pytest.mark.parametrize(
    "name",
    [
        *("leadScore", "assignedTo", "userId", "qualityScore", "intentScore", "enrichment", "verification"),
        *(
            "mergedInto",
            "mergeHistory",
            "emailVerified",
            "lifecycleStage",
            "status",
            "companyId",
            "typo",
            "_id",
        ),
    ],
)
def test_a_field_that_the_public_side_may_not_write_is_refused_by_name(api: Api, name: str) -> None:
    answer = api.contact(**{name: "100"})
    assert answer.status_code == 422
    assert answer.json["message"].startswith(f"{name}: is ")
    assert Contact.objects.count() == 0


@pytest.mark.parametrize("name", ["leadScore", "lead_score", "Assigned-To", "userId", "enrichment"])
def test_nor_as_a_custom_field(api: Api, name: str) -> None:
    answer = api.contact(customFields={name: 100})
    assert answer.status_code == 422
    assert answer.json["message"] == f"customFields.{name}: is never accepted from the public side"


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("workspaceId", "x", 422),
        ("workspaceId", 1, 422),
        ("workspaceId", "0" * 24, 404),
        ("email", "", 422),
        ("email", "two@at@navy.test", 422),
        ("email", "Grace <grace@navy.test>", 422),
        ("email", {"$ne": ""}, 422),
        ("firstName", "a\0b", 422),
        ("firstName", 5, 422),
        ("company", "a" * 257, 422),
        ("tags", "navy", 422),
        ("tags", [""], 422),
        ("tags", ["a\0"], 422),
        ("tags", ["tag"] * 51, 422),
        ("customFields", {"a.b": 1}, 422),
        ("customFields", {"big": -(2**63) - 1}, 422),
        ("customFields", [1], 422),
    ],
)
def test_a_bad_field_is_refused_by_its_name(api: Api, field: str, value: Any, status: int) -> None:
    good = {"workspaceId": str(api.workspace.id), "email": "grace@navy.test"}
    answer = api.client.post(CONTACTS, json={**good, field: value})
    assert answer.status_code == status
    assert answer.json["message"].startswith(field)
    assert Contact.objects.count() == 0


def test_a_contact_that_is_full_is_a_422_that_says_so(api: Api) -> None:
    texts = {str(number): "x" * 8_000 for number in range(CUSTOM_FIELDS_SIZE // 8_000)}
    assert api.contact(customFields=texts).status_code == 200
    answer = api.contact(firstName="Grace", customFields={"more": "x" * 8_000})
    assert answer.status_code == 422
    assert answer.json["message"].startswith("customFields, tags: the contact would hold more than")
    assert api.identify(more="x" * 8_000).status_code == 422
    assert api.contact(firstName="Grace").status_code == 200


def test_a_name_is_one_line_without_control_characters(api: Api) -> None:
    assert api.contact(firstName=" Grace\r\nBrewster\t").status_code == 200
    assert Contact.objects.get().first_name == "Grace Brewster"
    for text in ("\x1b]0;title\x07", "\x9b2J", "\x7f"):
        answer = api.contact(lastName=text)
        assert (answer.status_code, answer.json["message"]) == (
            422,
            "lastName: must not contain control characters",
        )


def test_what_changes_before_a_new_contact_counts_as_announced_is_told_too(api: Api) -> None:
    """Its first request has published that it is new, and then died, or has not come to say so."""
    known, _ = Contact.upsert(api.workspace.id, "grace@navy.test", {}, announce_as="api")
    contacts.created(known, source="api")
    api.contact("grace@navy.test", phone="555-0100")

    updated = EventRecord.objects.get(type="contact.updated")
    assert updated.payload["changed"] == ["phone"]
    assert EventRecord.objects(type="contact.created").count() == 1
    assert not Contact.objects.get().unannounced
