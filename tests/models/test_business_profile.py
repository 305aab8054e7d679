"""A workspace's own rules: what is stored is right, and what is wrong is refused by its name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from bson import ObjectId

from models.business_profile import BusinessProfile, InvalidRules
from models.notification import Notification
from schemas.rules import IntentRules

WORKSPACE = ObjectId()
pytestmark = pytest.mark.usefixtures("clean_store")


def test_a_workspace_without_a_profile_has_the_defaults() -> None:
    rules = BusinessProfile.of(WORKSPACE, IntentRules)
    assert (rules.decay_per_day, rules.remove_below, rules.medium, rules.high) == (2, 10, 40, 70)
    assert rules.points.model_dump() == {
        "page_view": 5,
        "email_open": 3,
        "link_click": 10,
        "form_submission": 20,
        "demo_request": 50,
    }


def test_what_is_left_out_keeps_its_default() -> None:
    BusinessProfile(id=WORKSPACE, rules={"intent": {"points": {"pageView": 7}, "high": 90}}).save()
    rules = BusinessProfile.of(WORKSPACE, IntentRules)
    assert (rules.points.page_view, rules.points.link_click) == (7, 10)
    assert (rules.high, rules.medium) == (90, 40)


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"intend": {}}, "rules.intend"),
        ({"intent": {"halfLife": 3}}, "rules.intent.halfLife"),
        ({"intent": {"points": {"page_view": -1}}}, "rules.intent.points"),
        ({"intent": {"points": {"visit": 1}}}, "rules.intent.points.visit"),
        ({"intent": {"remove_below": 0}}, "rules.intent.remove_below"),
        ({"intent": {"medium": 70}}, "medium: must be less than high"),
        ({"intent": {"medium": "many"}}, "rules.intent.medium"),
        ({"intent": []}, "rules.intent"),
    ],
)
def test_an_invalid_rule_set_is_refused_by_the_name_of_its_field(rules: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRules) as refusal:
        BusinessProfile(id=WORKSPACE, rules=rules).save()
    assert named in str(refusal.value)
    assert BusinessProfile.objects.count() == 0


@pytest.mark.parametrize("stored", [{"intent": {"high": "x"}}, {"intent": None}, "none", ["intent"]])
def test_what_another_program_stored_wrongly_is_refused_when_it_is_read(stored: Any) -> None:
    BusinessProfile._get_collection().insert_one({"_id": WORKSPACE, "rules": stored})
    with pytest.raises(InvalidRules, match="rules"):
        BusinessProfile.of(WORKSPACE, IntentRules)


def test_the_rules_of_many_workspaces_are_one_query(
    count_store_commands: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    other, broken = ObjectId(), ObjectId()
    BusinessProfile(id=WORKSPACE, rules={"intent": {"high": 90}}).save()
    BusinessProfile._get_collection().insert_one({"_id": broken, "rules": {"intent": {"high": "x"}}})
    with count_store_commands() as commands:
        found = BusinessProfile.of_each([WORKSPACE, other, broken], IntentRules)
    assert commands == ["find"]
    assert found[other] == IntentRules()
    assert found[WORKSPACE] == IntentRules(high=90)
    assert isinstance(found[broken], InvalidRules)


def test_an_invalid_section_is_not_in_force_and_the_admins_are_told_once() -> None:
    BusinessProfile._get_collection().insert_one({"_id": WORKSPACE, "rules": {"intent": {"high": "x"}}})
    for _ in range(2):
        assert BusinessProfile.in_force(WORKSPACE, IntentRules) == IntentRules()
    notice = Notification.objects.get()
    assert (notice.workspace_id, notice.user_id) == (WORKSPACE, None)
    assert "rules.intent.high" in notice.message
