"""Contacts by their id."""

from __future__ import annotations

from bson import ObjectId

from models.contact import CUSTOM_FIELDS_SIZE, Contact
from models.event import EventRecord
from models.workspace import Workspace
from tests.web.public.conftest import CONTACTS, Api


def test_given_fields_are_overwritten_and_the_event_names_them(api: Api) -> None:
    contact_id = api.contact(firstName="Grace", company="Navy").json["data"]["contactId"]
    answer = api.change(contact_id, firstName="Amazing", company="Navy", tags=["vip"])

    assert (answer.status_code, answer.json["data"]) == (200, {"contactId": contact_id, "isNew": False})
    contact = Contact.objects.get()
    assert (contact.first_name, contact.company, contact.tags) == ("Amazing", "Navy", ["vip"])
    updated = EventRecord.objects.get(type="contact.updated")
    assert sorted(updated.payload["changed"]) == ["firstName", "tags"]


def test_changing_nothing_publishes_nothing(api: Api) -> None:
    contact_id = api.contact(firstName="Grace").json["data"]["contactId"]
    before = Contact.objects.get().to_mongo()
    assert api.change(contact_id, firstName="Grace", email="Grace@navy.test").status_code == 200
    assert Contact.objects.get().to_mongo() == before
    assert EventRecord.objects.count() == 1


def test_an_unknown_contact_or_one_of_another_workspace_is_a_404(api: Api) -> None:
    other = Workspace(name="Other").save()
    theirs, _ = Contact.upsert(other.id, "grace@navy.test", {"first_name": "Grace"})
    for contact_id in (str(ObjectId()), str(theirs.id)):
        answer = api.change(contact_id, firstName="Eve")
        assert (answer.status_code, answer.json["message"]) == (404, "contactId: no such contact")
    assert Contact.objects.get().first_name == "Grace"


def test_a_page_cannot_turn_a_contact_into_somebody_else(api: Api) -> None:
    contact_id = api.contact().json["data"]["contactId"]
    answer = api.change(contact_id, email="eve@evil.test", firstName="Eve")
    assert answer.status_code == 409
    assert answer.json["message"].startswith("email: ")
    contact = Contact.objects.get()
    assert (contact.email, contact.first_name) == ("grace@navy.test", None)


def test_a_bad_id_or_field_is_refused_by_its_name(api: Api) -> None:
    contact_id = api.contact().json["data"]["contactId"]
    assert api.change("x").json["message"] == "contactId: must be a 24-digit hexadecimal id"
    for name in ("leadScore", "assignedTo", "userId", "status", "typo"):
        answer = api.change(contact_id, **{name: "100"})
        assert answer.status_code == 422
        assert answer.json["message"].startswith(f"{name}: is ")


def test_a_contact_that_is_full_is_a_422(api: Api) -> None:
    contact_id = api.contact().json["data"]["contactId"]
    texts = {str(number): "x" * 8_000 for number in range(CUSTOM_FIELDS_SIZE // 8_000)}
    assert api.change(contact_id, customFields=texts).status_code == 200
    assert api.change(contact_id, customFields={"more": "x" * 8_000}).status_code == 422


def test_a_browser_may_put(api: Api) -> None:
    headers = {"Origin": "https://www.acme.test", "Access-Control-Request-Method": "PUT"}
    answer = api.client.options(f"{CONTACTS}/{ObjectId()}", headers=headers)
    assert answer.status_code == 204
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
