"""Opportunities from outside."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from tests.web.public.conftest import OPPORTUNITIES, Api

OFFER = {"title": "Ten seats", "stage": "proposal", "value": 1200.5, "currency": "EUR"}


@pytest.fixture
def grace(api: Api) -> Contact:
    contact, _ = Contact.upsert(api.workspace.id, "grace@navy.test", {})
    return contact


def test_an_opportunity_is_an_open_deal_of_the_contact_and_is_published(api: Api, grace: Contact) -> None:
    answer = api.about(
        OPPORTUNITIES,
        str(grace.id),
        **OFFER,
        expectedCloseDate="2026-12-31",
        customFields={"plan": "team"},
    )

    deal = Deal.objects.get()
    data = {"opportunityId": str(deal.id), "isNew": True}
    assert (answer.status_code, answer.json) == (200, {"success": True, "data": data})
    assert (deal.workspace_id, deal.contact_ids, deal.status) == (api.workspace.id, [grace.id], "open")
    assert (deal.title, deal.stage, deal.amount, deal.currency) == ("Ten seats", "proposal", 1200.5, "EUR")
    assert deal.expected_close_date.isoformat() == "2026-12-31T00:00:00+00:00"
    assert deal.custom_fields == {"plan": "team"}
    record = EventRecord.objects.get(type="opportunity.created")
    assert record.payload["dealId"] == str(deal.id)
    assert record.payload["contactId"] == str(grace.id)
    assert (record.payload["amount"], record.payload["currency"]) == (1200.5, "EUR")


def test_a_double_click_opens_one_deal(api: Api, grace: Contact) -> None:
    first, again = (api.about(OPPORTUNITIES, str(grace.id), **OFFER) for _ in range(2))
    assert again.json["data"] == first.json["data"] | {"isNew": False}
    assert Deal.objects.count() == EventRecord.objects.count() == 1
    named = [api.about(OPPORTUNITIES, str(grace.id), key=key, **OFFER) for key in "aab"]
    assert [answer.json["data"]["isNew"] for answer in named] == [True, False, True]


def test_a_contact_that_is_not_there_is_a_404(api: Api) -> None:
    assert api.about(OPPORTUNITIES, str(ObjectId()), **OFFER).status_code == 404
    assert Deal.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contactId", None),
        ("title", ""),
        ("value", -1),
        ("value", "1200"),
        ("value", True),
        ("value", 10**400),
        ("value", 1e16),
        ("currency", "euro"),
        ("expectedCloseDate", "tomorrow"),
        ("expectedCloseDate", "2026-12-31T12:00:00"),
        ("customFields", {"leadScore": 1}),
        ("assignedTo", "x"),
        ("status", "won"),
        ("userId", "x"),
    ],
)
def test_a_bad_field_is_refused_by_its_name(api: Api, grace: Contact, field: str, value: Any) -> None:
    answer = api.about(OPPORTUNITIES, **{"contact_id": str(grace.id), **OFFER, field: value})
    assert answer.status_code == 422
    assert answer.json["message"].startswith(field)
    assert Deal.objects.count() == 0
