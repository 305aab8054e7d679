"""The job behind every event: run the reactions that are not done yet.

The events of one record come one after the other, see `publishers.turns`. Safe to run twice: a reaction that
is done is recorded and not repeated; one that dies before its record is repeated, and is written so that this
changes nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

import structlog
from bson import ObjectId
from pydantic import ValidationError
from rq.exceptions import AbandonedJobError
from rq.timeouts import JobTimeoutException

import consumers
from consumers import automations
from consumers.failures import Failures
from consumers.registry import Delivery, Reaction, reactions, reacts_to
from models.event import EventRecord
from models.store import object_id
from publishers import events, turns
from queues.job import Job, is_last_try
from schemas.event import Event, catalogue, decode

MOST_FOLLOWING = 20  # events that waited, and are handled by the job of the one before: it has a time limit

log = structlog.get_logger()


class BadEvent(Exception):
    """The job carries no event that we could handle; the message says why."""

    permanent = True


class ReactionsFailed(Failures):
    """At least one reaction raised. A retry repeats only those."""


@cache
def load_reactions() -> None:
    """Import every consumer, which registers its reactions; the automations see what the others did."""
    for module in pkgutil.iter_modules(consumers.__path__):
        importlib.import_module(f"consumers.{module.name}")
    reacts_to(*catalogue().values())(automations.check_automations)


def handle(event_id: str, event: dict[str, Any]) -> None:
    """Run what is left to do for one event, if its turn has come. Raises `BadEvent` or `ReactionsFailed`."""
    load_reactions()
    try:
        _react(event_id, event)
    except Exception as error:
        if is_last_try(error) and ObjectId.is_valid(event_id):
            turns.fail(ObjectId(event_id), f"{type(error).__name__}: {error}")
        raise


def mark_abandoned(job: Job, kind: type[BaseException], *_: Any) -> None:
    """Exception handler of the worker: the event of a quarantined job failed, like that of a dead letter."""
    is_ours = kind is AbandonedJobError and job.func_name == events.DISPATCHER
    if is_ours and (event_id := object_id(job.kwargs.get("event_id"))):
        turns.fail(event_id, "its worker died twice while it ran")


def _react(event_id: str, event: dict[str, Any]) -> None:
    is_carried = not isinstance(event, dict) or "payload" in event
    fact = _decode(event_id, event) if is_carried else None
    record = _take(event_id, event)
    if record is None:
        log.info("⏸️  event waits for its turn, or is done")
        return
    job = record.job_id
    following = _handle(fact or _decode(event_id, record.envelope()), record, job)
    for _ in range(MOST_FOLLOWING):
        if following is None:
            return
        following = _handle_following(following, job)
    if following:
        turns.hand_on(following)


def _handle_following(record: EventRecord, job: str) -> EventRecord | None:
    """As `_handle`, for one that waited for the event of this job; if it fails it gets a job of its own."""
    try:
        return _handle(_decode(str(record.id), record.envelope()), record, job)
    except JobTimeoutException:
        turns.hand_on(record)
        raise
    except Exception:  # noqa: BLE001 - it is raised again, by the job that tries it next
        turns.hand_on(record)
    return None


def _handle(fact: Event, record: EventRecord, job: str) -> EventRecord | None:
    """Run what is left to do for an event whose turn it is; returns the next if that has waited."""
    delivery = Delivery(str(record.id), record.correlation_id, record.accepted_at)
    cause = {"causation_id": record.causation_id} if record.causation_id else {}
    with structlog.contextvars.bound_contextvars(event_type=record.type, **cause, **delivery.meta):
        return turns.end(record, _run_all(fact, delivery, record), job, fact.passing)


def _decode(event_id: str, event: dict[str, Any]) -> Event:
    try:
        return decode(event["type"], event["version"], event["payload"])
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
        raise BadEvent(f"event {event_id} does not fit its schema: {fields}") from None
    except KeyError as error:
        raise BadEvent(f"event {event_id} has no {error}") from None
    except TypeError:
        raise BadEvent(f"event {event_id} is no object of type, version and payload") from None


def _take(event_id: str, event: dict[str, Any]) -> EventRecord | None:
    record_id = object_id(event_id)
    subject, position, run = event.get("subject"), event.get("position", 0), event.get("run", 0)
    try:
        if record_id:
            return turns.take(record_id, subject, position, run)
    except EventRecord.DoesNotExist:
        pass
    raise BadEvent(f"event {event_id} is not in the ledger: publish it, do not enqueue it")


def _run_all(fact: Event, delivery: Delivery, record: EventRecord) -> dict[str, bool]:
    """Run each reaction that is not done yet; returns which, to be recorded with one command."""
    done: dict[str, bool] = {}
    errors: list[Exception] = []
    try:
        for name, run in reactions(fact.type).items():
            if name in record.reactions:
                continue
            outcome = _run(name, run, fact, delivery)
            if isinstance(outcome, Exception):
                errors.append(outcome)
            else:
                done[name] = outcome
    except JobTimeoutException:  # the job's time is up: the others get theirs at the retry
        record.note(done)
        raise
    if errors:
        record.note(done)
        raise ReactionsFailed(f"{len(errors)} reaction(s) to {fact.type} failed", errors)
    return done


def _run(name: str, run: Reaction, fact: Event, delivery: Delivery) -> Exception | bool:
    """Run one; returns whether it handed work on, or how it failed."""
    try:
        return bool(run(fact, delivery))
    except JobTimeoutException:
        raise
    except Exception as error:  # noqa: BLE001 - raised again, as a group, when the others had their turn
        error.add_note(f"in the reaction {name} to {fact.type} {delivery.event_id}")
        log.warning("⚠️  reaction failed", reaction=name, error=f"{type(error).__name__}: {error}")
        return error
