"""The table from event to reactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from schemas.event import Event


@dataclass(frozen=True)
class Delivery:
    """What a reaction may need to know beside the event itself."""

    event_id: str
    correlation_id: str
    accepted_at: datetime

    @property
    def meta(self) -> dict[str, str]:
        """For the jobs that a reaction enqueues, so that log lines can be followed."""
        return {"event_id": self.event_id, "correlation_id": self.correlation_id}


Reaction = Callable[..., None]  # takes the event and its Delivery
ReactionT = TypeVar("ReactionT", bound=Reaction)

Delivered = tuple[Event, Delivery]

_reactions: dict[str, dict[str, Reaction]] = {}


def reacts_to(*kinds: type[Event]) -> Callable[[ReactionT], ReactionT]:
    """Decorator: run the function for each event of these kinds.

    It may run twice for one event; its docstring says why that is safe.
    """

    def register(function: ReactionT) -> ReactionT:
        for kind in kinds:
            known = _reactions.setdefault(kind.type, {})
            if function.__name__ in known:
                raise ValueError(f"two reactions to {kind.type} are named {function.__name__}")
            known[function.__name__] = function
        return function

    return register


def takes_many(function: Callable[[Sequence[Any]], None]) -> Reaction:
    """Decorator: make a reaction of a function that takes many events at once, each with its Delivery.

    For events that come in numbers: `consumers.bulk` gives it those of one type and workspace together; a
    single one is a list of one.
    """

    def one(event: Event, delivery: Delivery) -> None:
        function([(event, delivery)])

    one.__name__, one.__doc__ = function.__name__, function.__doc__
    one.at_once = function  # type: ignore[attr-defined]  # a mark on a function: `_react` reads it
    return one


def reactions(event_type: str) -> dict[str, Reaction]:
    """The reactions to an event type by their names, in the order of their definition."""
    return _reactions.get(event_type, {})
