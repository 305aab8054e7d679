"""Suppressed addresses: one entry per workspace and address, which outlives the contact."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from bson import ObjectId, json_util

from models import store
from models.suppression import Reason, Suppression

US, THEM = ObjectId(), ObjectId()
GRACE = "grace@navy.test"
AT = store.now()


def test_an_address_is_suppressed_once_and_in_its_workspace_only(clean_store: None) -> None:
    for _ in range(2):
        Suppression.add(US, [GRACE, f" {GRACE.upper()} "], "unsubscribed", AT)
    assert Suppression.objects.count() == 1
    assert Suppression.among(US, [GRACE, "Grace@Navy.test", "ada@navy.test"]) == {
        GRACE: "unsubscribed",
        "Grace@Navy.test": "unsubscribed",
    }
    assert Suppression.among(THEM, [GRACE]) == {}
    assert Suppression.of(THEM, GRACE) is None


def test_the_address_itself_is_nowhere(clean_store: None) -> None:
    Suppression.add(US, [GRACE], "unsubscribed", AT)
    assert "navy" not in json_util.dumps(list(Suppression._get_collection().find()))
    Suppression.add(THEM, [GRACE], "unsubscribed", AT)
    assert Suppression.objects.count() == 2


@pytest.mark.parametrize(
    ("reasons", "stays"),
    [
        (["unreachable", "unsubscribed"], "unsubscribed"),
        (["unsubscribed", "unreachable"], "unsubscribed"),
    ],
)
def test_what_a_person_wants_outweighs_what_a_server_said(
    clean_store: None, reasons: list[Reason], stays: str
) -> None:
    for reason in reasons:
        Suppression.add(US, [GRACE], reason, AT)
    assert Suppression.among(US, [GRACE]) == {GRACE: stays}


def test_mail_is_allowed_again_until_something_new_happens(clean_store: None) -> None:
    Suppression.add(US, [GRACE], "unreachable", AT)
    assert [Suppression.lift(US, GRACE) for _ in range(2)] == [True, False]
    Suppression.add(US, [GRACE], "unreachable", AT)
    assert Suppression.among(US, [GRACE]) == {}
    Suppression.add(US, [GRACE], "unsubscribed", store.now() + timedelta(seconds=1))
    assert Suppression.among(US, [GRACE]) == {GRACE: "unsubscribed"}


def test_ten_times_the_addresses_cost_the_same_store_commands(
    count_store_commands: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    for number in (10, 100):
        emails = [f"{place}@navy.test" for place in range(number)]
        with count_store_commands() as commands:
            Suppression.add(US, emails, "unreachable", AT)
            assert len(Suppression.among(US, emails)) == number
        assert commands == ["update", "find"]


def test_nothing_is_asked_for_no_addresses(
    count_store_commands: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    with count_store_commands() as commands:
        Suppression.add(US, [], "unreachable", AT)
    assert commands == []
