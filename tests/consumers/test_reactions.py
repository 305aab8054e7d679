"""The table from event to reactions: it is complete, and each reaction says why it may run twice."""

from __future__ import annotations

import pytest

from consumers import dispatch
from consumers.registry import Reaction, reactions
from schemas.event import catalogue
from tests import events_docs

dispatch.load_reactions()

AUTOMATIONS = "check_automations"
# Nothing but automations follows, as docs/events.md explains.
PLAIN = {"email.forwarded", "workflow.completed"}


def own(event_type: str) -> dict[str, Reaction]:
    return {name: run for name, run in reactions(event_type).items() if name != AUTOMATIONS}


@pytest.mark.parametrize("event_type", catalogue())
def test_every_event_has_reactions_unless_nothing_is_to_follow(event_type: str) -> None:
    assert bool(own(event_type)) != (event_type in PLAIN)


def test_the_page_explains_the_events_without_a_reaction() -> None:
    text = events_docs.PAGE.read_text().partition("## Reactions")[2].partition("\n## ")[0]
    after_the_table = text.partition("<!-- /reactions -->")[2]
    assert all(f"`{event_type}`" in after_the_table for event_type in PLAIN)


def test_the_table_of_the_page_is_that_of_the_registry() -> None:
    assert events_docs.PAGE.read_text() == events_docs.page(), "run: python -m tests.events_docs"
    assert all(f"| `{name}` |" in events_docs.reaction_table() for name in catalogue())


@pytest.mark.parametrize(
    ("event_type", "name", "run"),
    [(kind, name, run) for kind in catalogue() for name, run in reactions(kind).items()],
)
def test_every_reaction_says_why_it_may_run_twice(event_type: str, name: str, run: Reaction) -> None:
    text = " ".join((run.__doc__ or "").split())
    assert "Safe to run twice" in text, f"{name}, a reaction to {event_type}"
