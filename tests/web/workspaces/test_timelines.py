"""Timelines over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from models.activity import Activity
from models.company import Company
from models.contact import Contact
from models.deal import Deal
from tests.automations import grace
from tests.web.automations.conftest import Api, api, other

__all__ = ["api", "other"]  # fixtures

NOON = datetime(2026, 2, 4, 12, tzinfo=UTC)


def happened(api: Api, minutes: list[int], **about: Any) -> None:
    Activity.record_all(
        [
            {
                "workspace_id": api.workspace.id,
                "kind": "call",
                "title": str(place),
                "source": f"test:{ObjectId()}",
                "happened_at": NOON + timedelta(minutes=minute),
                **about,
            }
            for place, minute in enumerate(minutes)
        ]
    )


def deal_of(api: Api, contact: Contact) -> Deal:
    return Deal(workspace_id=api.workspace.id, contact_ids=[contact.id], title="Compilers").save()


def pages(api: Api, path: str, limit: int) -> list[list[Any]]:
    found, cursor = [], ""
    while True:
        answer = api.get(f"{path}?limit={limit}{cursor}").get_json()
        found.append(answer["data"])
        if not answer["next"]:
            return found
        cursor = f"&cursor={answer['next']}"


def test_an_entry_has_what_happened_when_and_with_whom(api: Api) -> None:
    contact = grace(api.workspace)
    deal = deal_of(api, contact)
    happened(api, [1], contact_id=contact.id, deal_id=deal.id, details={"description": "Long"})
    for path in (f"/contacts/{contact.id}/activities", f"/deals/{deal.id}/activities"):
        answer = api.get(path)
        assert answer.status_code == 200
        assert answer.get_json() == {
            "success": True,
            "data": [
                {
                    "id": str(Activity.objects.get().id),
                    "kind": "call",
                    "title": "0",
                    "details": {"description": "Long"},
                    "happenedAt": "2026-02-04T12:01:00.000Z",
                    "contactId": str(contact.id),
                    "companyId": None,
                    "dealId": str(deal.id),
                }
            ],
            "next": None,
        }


def test_pages_hold_every_entry_once_the_latest_first(api: Api) -> None:
    contact = grace(api.workspace)
    happened(api, [3, 1, 2, 2, 2, 2, 4, 2], contact_id=contact.id)
    found = pages(api, f"/contacts/{contact.id}/activities", 3)
    assert [len(page) for page in found] == [3, 3, 2]
    entries = [entry for page in found for entry in page]
    assert len({entry["id"] for entry in entries}) == 8
    moments = [entry["happenedAt"] for entry in entries]
    assert moments == sorted(moments, reverse=True)


def test_what_happens_while_somebody_reads_moves_no_page(api: Api) -> None:
    contact = grace(api.workspace)
    path = f"/contacts/{contact.id}/activities"
    happened(api, [0, 1, 2], contact_id=contact.id)
    first = api.get(f"{path}?limit=2").get_json()
    happened(api, [9], contact_id=contact.id)
    second = api.get(f"{path}?limit=2&cursor={first['next']}").get_json()
    assert [entry["title"] for entry in first["data"] + second["data"]] == ["2", "1", "0"]


def test_entries_from_before_1970_have_their_pages(api: Api) -> None:
    contact = grace(api.workspace)
    happened(api, [-60 * 24 * 365 * 60, -60 * 24 * 365 * 61], contact_id=contact.id)
    assert [len(page) for page in pages(api, f"/contacts/{contact.id}/activities", 1)] == [1, 1]


def test_a_companys_timeline_is_that_of_the_contacts_who_belong_to_it(api: Api, other: Api) -> None:
    contact = grace(api.workspace)
    Company.join(contact)
    company_id = contact.reload().company_id
    happened(api, [1], contact_id=contact.id)
    happened(api, [2], company_id=company_id)
    path = f"/companies/{company_id}/activities"
    assert [entry["companyId"] for entry in api.get(path).get_json()["data"]] == [str(company_id), None]
    answer = other.get(path)
    assert (answer.status_code, answer.get_json()["message"]) == (404, "companyId: no such company")


def test_another_workspaces_timelines_do_not_exist(api: Api, other: Api) -> None:
    contact = grace(other.workspace)
    deal = deal_of(other, contact)
    happened(other, [1], contact_id=contact.id, deal_id=deal.id)
    for path, name in ((f"/contacts/{contact.id}", "contact"), (f"/deals/{deal.id}", "deal")):
        assert len(other.get(f"{path}/activities").get_json()["data"]) == 1
        answer = api.get(f"{path}/activities")
        assert (answer.status_code, answer.get_json()["message"]) == (404, f"{name}Id: no such {name}")
        unknown = api.get(f"/{name}s/{ObjectId()}/activities")
        assert unknown.get_json() == answer.get_json()


def test_an_entry_of_another_workspace_about_our_contact_stays_unseen(api: Api, other: Api) -> None:
    contact = grace(api.workspace)
    happened(other, [1], contact_id=contact.id)
    assert api.get(f"/contacts/{contact.id}/activities").get_json()["data"] == []


@pytest.mark.parametrize("kind", ["contacts", "companies", "deals"])
def test_without_a_token_of_the_workspace_there_is_no_way_in(api: Api, other: Api, kind: str) -> None:
    path = f"/{kind}/{ObjectId()}/activities"
    assert api.client.get(f"{api.base}{path}").status_code == 401
    api.base = other.base
    answer = api.get(path)
    assert (answer.status_code, answer.get_json()["message"]) == (404, "workspaceId: no such workspace")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("cursor=1", "cursor: must be the `next`"),
        ("cursor=99999999999999.000000000000000000000000", "cursor: must be the `next`"),
        ("limit=101", "limit: "),
        ("kind=call", "kind: is not a known field"),
    ],
)
def test_a_bad_query_is_refused_by_name(api: Api, query: str, word: str) -> None:
    answer = api.get(f"/contacts/{grace(api.workspace).id}/activities?{query}")
    assert (answer.status_code, word in answer.get_json()["message"]) == (422, True)


def test_a_page_costs_the_same_however_long_the_timeline_is(
    api: Api, count_store_commands: Callable[[], Any]
) -> None:
    contact = grace(api.workspace)
    path = f"/contacts/{contact.id}/activities?limit=2"
    api.get(path)  # notes the use of the token
    costs = []
    for number in (5, 50):
        happened(api, list(range(number)), contact_id=contact.id)
        with count_store_commands() as names:
            assert len(api.get(path).get_json()["data"]) == 2
        costs.append(names)
    assert costs == [["find"] * 3] * 2
