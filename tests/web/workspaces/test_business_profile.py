"""The rules of a workspace over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from models.business_profile import BusinessProfile
from schemas.rules import IntentRules
from tests.web.automations.conftest import Api, api, other

__all__ = ["api", "other"]  # fixtures

PATH = "/business-profile"


def put(api: Api, rules: Any) -> Any:
    return api.call("PUT", PATH, json={"rules": rules})


def test_a_workspace_begins_with_the_defaults(api: Api) -> None:
    told = api.get(PATH).get_json()["data"]
    assert (told["rules"], told["problems"], told["updatedAt"]) == ({}, [], None)
    assert told["inForce"]["intent"]["points"]["pageView"] == 5
    assert told["inForce"]["enrichment"] == {"monthlyCredits": 1000}


def test_what_is_put_is_in_force_and_the_rest_keeps_its_default(api: Api) -> None:
    rules = {"intent": {"high": 90, "points": {"pageView": 2}}}
    answer = put(api, rules)
    assert answer.status_code == 200
    told = answer.get_json()["data"]
    assert told == api.get(PATH).get_json()["data"]
    assert told["rules"] == rules
    assert (told["inForce"]["intent"]["high"], told["inForce"]["intent"]["medium"]) == (90, 40)
    assert told["updatedAt"].endswith("Z")
    found = BusinessProfile.of(api.workspace.id, IntentRules)
    assert (found.high, found.points.page_view, found.points.link_click) == (90, 2, 10)


def test_what_is_not_given_returns_to_its_default_and_what_was_read_can_be_put(api: Api) -> None:
    put(api, {"intent": {"high": 90}, "enrichment": {"monthlyCredits": 7}})
    put(api, {"enrichment": {"monthlyCredits": 8}})
    told = api.get(PATH).get_json()["data"]
    assert told["rules"] == {"enrichment": {"monthlyCredits": 8}}
    assert told["inForce"]["intent"]["high"] == 70
    assert put(api, told["rules"]).get_json()["data"]["rules"] == told["rules"]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"intend": {}}, "rules.intend: there is no such section; there are: "),
        ({"intent": {"halfLife": 3}}, "rules.intent.halfLife: "),
        ({"intent": {"points": {"pageView": -1}}}, "rules.intent.points.pageView: Input should be "),
        ({"intent": {"medium": 70}}, "rules.intent: medium: must be less than high"),
        ({"intent": []}, "rules.intent: "),
        ({"$where": {}}, "rules.$where: there is no such section"),
        ([], "rules: "),
    ],
)
def test_a_wrong_rule_is_refused_by_its_name_and_changes_nothing(api: Api, rules: Any, message: str) -> None:
    put(api, {"intent": {"high": 90}})
    answer = put(api, rules)
    assert answer.status_code == 422
    assert answer.get_json()["message"].startswith(message)
    assert api.get(PATH).get_json()["data"]["rules"] == {"intent": {"high": 90}}


def test_what_another_program_spoilt_is_told_and_can_be_replaced(api: Api) -> None:
    spoilt = {"intent": {"medium": "many"}, "gone": {}}
    BusinessProfile._get_collection().insert_one({"_id": api.workspace.id, "rules": spoilt})
    told = api.get(PATH).get_json()["data"]
    assert (told["rules"], told["inForce"]["intent"]) == (spoilt, None)
    assert told["problems"][0].startswith("rules.intent.medium: ")
    assert put(api, {"intent": {"medium": 30}}).get_json()["data"]["problems"] == []


def test_another_workspace_has_its_own_and_is_out_of_reach(api: Api, other: Api) -> None:
    put(other, {"intent": {"high": 90}})
    assert api.get(PATH).get_json()["data"]["rules"] == {}
    api.base = other.base
    for answer in (api.get(PATH), put(api, {})):
        assert (answer.status_code, answer.get_json()["message"]) == (404, "workspaceId: no such workspace")
    assert api.client.get(f"{other.base}{PATH}").status_code == 401
    assert other.get(PATH).get_json()["data"]["rules"] == {"intent": {"high": 90}}
