"""The table from event to reactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from queues.enqueue import NewJob, enqueue_many
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


Reaction = Callable[..., object]  # takes the event and its Delivery; true when it handed work on
ReactionT = TypeVar("ReactionT", bound=Reaction)

Delivered = tuple[Event, Delivery]
Jobs = list[NewJob]

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


def hands_on(function: Callable[..., Jobs]) -> Reaction:
    """Decorator: make a reaction of a function that returns the jobs which do the rest; they are enqueued.

    The ledger notes that it handed work on. Redis alone holds such a job, though its event is done: when it
    is lost, the function is asked once more (see `consumers.healing`). So it changes nothing itself, and what
    it returns depends on nothing that reactions change.
    """

    def enqueueing(*given: Any) -> bool:
        jobs = function(*given)
        if jobs:
            enqueue_many(jobs)
        return bool(jobs)

    enqueueing.__name__, enqueueing.__doc__ = function.__name__, function.__doc__
    enqueueing.jobs = function  # type: ignore[attr-defined]  # a mark on a function: `jobs_of` reads it
    return enqueueing


def jobs_of(reaction: Reaction, delivered: Sequence[Delivered]) -> Jobs | None:
    """The jobs that a reaction hands on for these events of one type and workspace; None: it never does."""
    at_once = getattr(reaction, "at_once", None)
    if (jobs := getattr(at_once or reaction, "jobs", None)) is None:
        return None
    return list(jobs(delivered)) if at_once else [job for each in delivered for job in jobs(*each)]


def takes_many(function: Callable[[Sequence[Any]], object]) -> Reaction:
    """Decorator: make a reaction of a function that takes many events at once, each with its Delivery.

    For events that come in numbers: `consumers.bulk` gives it those of one type and workspace together; a
    single one is a list of one.
    """

    def one(event: Event, delivery: Delivery) -> object:
        return function([(event, delivery)])

    one.__name__, one.__doc__ = function.__name__, function.__doc__
    one.at_once = function  # type: ignore[attr-defined]  # a mark on a function: `_react` reads it
    return one


def reactions(event_type: str) -> dict[str, Reaction]:
    """The reactions to an event type by their names, in the order of their definition."""
    return _reactions.get(event_type, {})
