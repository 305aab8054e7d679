"""The catalogue of fields says what the facts hold: neither more nor less."""

from __future__ import annotations

import pytest
from bson import ObjectId

from models import facts
from models.contact import STAGES, Contact
from models.deal import Deal
from schemas.event import catalogue
from services.automation import actions, fields


def test_the_fields_of_a_contact_are_those_of_its_facts() -> None:
    known = facts.of_contact(Contact(id=ObjectId(), email="a@b.test"))

    assert {*fields.CONTACT, "customFields"} == known.keys()


def test_the_fields_of_a_deal_are_those_of_its_facts() -> None:
    assert set(fields.DEAL) == facts.of_deal(Deal(id=ObjectId(), title="x")).keys()


def test_what_an_action_may_set_are_values_of_a_contact() -> None:
    allowed = actions.ContactFields.model_json_schema()["properties"]
    assert set(allowed["status"]["anyOf"][0]["enum"]) <= set(Contact.status.choices)
    assert set(allowed["lifecycleStage"]["anyOf"][0]["enum"]) <= set(STAGES)
    stored = set(Contact._fields)
    assert set(actions.ContactFields.model_fields) <= stored


@pytest.mark.parametrize("event_type", sorted(catalogue()))
def test_each_event_type_has_the_fields_of_its_payload(event_type: str) -> None:
    known = fields.of(event_type)

    assert known.has("event.type")
    assert known.has("event.workspaceId")
    assert not known.has("event.nothing")
    assert known.has("contact.email") == known.has("event.contactId")
    assert known.has("deal.title") == known.has("event.dealId")


@pytest.mark.parametrize(
    ("name", "is_known"),
    [
        ("contact.customFields.plan", True),
        ("contact.customFields.plan.size", True),
        ("contact.customFields.", False),
        ("contact.customFields", False),
        ("contact", False),
        ("", False),
        ("contact.leadscore", False),
        ("contact.email.x", False),
    ],
)
def test_a_name_is_known_exactly_or_below_what_workspaces_make_up(name: str, is_known: bool) -> None:
    assert fields.of("contact.created").has(name) == is_known


def test_a_near_miss_is_told() -> None:
    known = fields.of("contact.created")
    assert known.guess("contact.firstNam") == "; did you mean contact.firstName?"
    assert known.guess("xyz") == ""
