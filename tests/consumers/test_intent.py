"""Another level of interest: in the timeline, and told to the owner when it is high."""

from __future__ import annotations

from typing import Literal

import pytest

from models.contact import Contact
from schemas.intent import IntentThresholdCrossed
from tests.reactions import RunJobs, happens, notices, timeline

Level = Literal["low", "medium", "high"]


@pytest.mark.parametrize(
    ("before", "level", "title", "told"),
    [
        ("low", "medium", "Interest rose to medium", []),
        ("low", "high", "Interest rose to high", ["Grace Hopper shows high interest (71 points)"]),
        ("high", "medium", "Interest fell to medium", []),
    ],
)
def test_each_level_is_told_and_high_interest_to_the_owner(
    grace: Contact,
    about: dict[str, str],
    run_jobs: RunJobs,
    before: Level,
    level: Level,
    title: str,
    told: list[str],
) -> None:
    crossed = {"level": level, "previous_level": before, "score": 71, "occasion": "test"}
    happens(IntentThresholdCrossed(**about, **crossed), run_jobs)
    assert timeline(grace) == [title]
    assert notices(grace.assigned_to) == told


def test_nobody_is_told_of_a_contact_without_owner(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    grace.update(unset__assigned_to=True)
    crossed = {"level": "high", "previous_level": "low", "score": 71, "occasion": "test"}
    happens(IntentThresholdCrossed(**about, **crossed), run_jobs)
    assert notices(None) == []
