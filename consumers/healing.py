"""Hand on again what Redis lost: an event that is done may have left the rest to jobs that stand there alone.

A timeline entry, a welcome mail and the planning of automations are such jobs. The scheduler looks at Redis
now and then. When it is another server than before, or its mark (queues/mark.py) is not where it was, then
the events of the time since that mark are asked once more for what they handed on. While all is well that
costs an event nothing, and a look three commands.

Safe to run twice, by several processes, and to die in: jobs and what they do are unique, and how far it has
come stands in the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from pydantic import ValidationError

import config
from consumers import activity, automations, dispatch
from consumers.registry import Delivered, Delivery, Jobs, jobs_of, reactions
from models import handed_on
from models.event import EventRecord
from models.redis_sight import RedisSight
from models.store import StoreError
from queues import mark
from queues.connection import RedisError
from queues.enqueue import NewJob, enqueue, enqueue_many
from queues.names import ANALYTICS
from schemas.event import UnknownEvent, decode
from services import sentry

LOOK = timedelta(seconds=50)  # between two looks at Redis, by whichever scheduler
FRUGAL_LOOK = timedelta(hours=1)  # as long as a lost event waits for the relay
CLOCKS = automations.CLOCKS
# Who handed something on to the old Redis has told the ledger: the time limit of an event's job, and clocks.
TELLING = timedelta(minutes=5)
SETTLED = 2 * CLOCKS  # what was done so long ago is in the order in which we read it
SECOND_LOOKS = "jobs.contact_erasure.recover"  # by name: a consumer knows no scheduled job
BATCH = 500  # events at once
BATCHES = 10  # per call: it is called each minute, and the queues have other work

log = structlog.get_logger()


def heal(at: datetime) -> int:
    """Look at Redis when it is time to, and hand on again some of what it lost; returns for how many events.

    Two store commands when there is nothing to do. Raises `RedisError`, `StoreError`; then it goes on at the
    next call.
    """
    if RedisSight.claim(at, FRUGAL_LOOK if config.settings().is_frugal else LOOK):
        _look(at)
    sight = RedisSight.current()
    return _make_good(sight, at) if sight and sight.since else 0


def _look(at: datetime) -> None:
    sight = RedisSight.current() or RedisSight()
    keep_days = config.settings().events_keep_days
    with mark.mark() as own:
        seen = own.look()
        if sight.mark is None:  # we look for the first time
            own.place(at)
            sight.saw(at, seen.server, keep_days)
        elif since := _lost_since(sight, seen, at):
            log.warning("🩹 Redis lost what it was told last", since=since.isoformat())
            if sight.lost(since, at + TELLING, seen.server):
                own.place(since)
        elif not sight.since and own.move(at):
            sight.saw(at, seen.server, keep_days)


def _lost_since(sight: RedisSight, seen: mark.Seen, at: datetime) -> datetime | None:
    """From when on something may be lost; None: nothing is."""
    if seen.mark is None:  # all is gone; nothing waits or lies dead there for longer than a dead letter
        since = at - timedelta(days=config.settings().failed_jobs_keep_days)
    elif seen.mark < sight.mark or not sight.knows(seen.server):
        since = seen.mark
    else:
        return None
    return min(since, sight.since or since)


def _make_good(sight: RedisSight, at: datetime) -> int:
    count = 0
    if not sight.has_open and at >= sight.until:
        for records in handed_on.unfinished(sight.since - CLOCKS, BATCH):
            count += _hand_on_again(records)
        enqueue(_second_looks(sight.until))
        sight.dealt_with_open(at)
    for _ in range(BATCHES):
        page = _page(sight, at - SETTLED)
        count += _hand_on_again(page)
        if len(page) < BATCH and sight.has_open and at - SETTLED >= sight.until:
            if sight.made_good():
                log.info("🩹 what Redis lost is handed on again")
            break
        if not page or not sight.dealt_with(page[-1].expires_at):
            break
    return count


def _second_looks(moment: datetime) -> NewJob:
    """No event leaves them to Redis, but an erasure, which promises them."""
    return NewJob(
        queue=ANALYTICS,
        func=SECOND_LOOKS,
        id=f"erasures-{moment:%Y%m%dT%H%M%S}",
        description="second looks of erasures, if they were lost",
    )


def _page(sight: RedisSight, before: datetime) -> list[EventRecord]:
    keep_days = min(sight.keep_days, config.settings().events_keep_days)
    return handed_on.done(sight.since - CLOCKS, before, keep_days, sight.after, BATCH)


def _hand_on_again(records: Sequence[EventRecord]) -> int:
    """Timeline entries are written at once, without a job; returns how many events it was."""
    dispatch.load_reactions()
    entries: dict[str, list[activity.Entry]] = {}
    jobs: Jobs = []
    for job in _jobs(records):
        if (made := activity.entries_of(job)) is None:
            jobs.append(job)
        else:
            entries.setdefault(made[0]["workspace_id"], []).extend(made)
    for of_workspace in entries.values():
        activity.record_all(of_workspace)
    enqueue_many(jobs)
    return len(records)


def _jobs(records: Sequence[EventRecord]) -> Iterator[NewJob]:
    """What the reactions to these events handed on; not what is known to have taken effect."""
    asked: dict[tuple[str, str, str], list[Delivered]] = {}
    for record in records:
        if delivered := _delivered(record):
            for name in record.handed_on:
                if name != automations.CHECK or automations.PLANNED not in record.reactions:
                    asked.setdefault((record.type, name, str(record.workspace_id)), []).append(delivered)
    for (event_type, name, _), delivered_all in asked.items():
        yield from _asked(event_type, name, delivered_all)


def _delivered(record: EventRecord) -> Delivered | None:
    """The event as its reactions had it; None when it is of a version that this release does not know."""
    try:
        event = decode(record.type, record.version, record.payload)
    except (UnknownEvent, ValidationError) as error:
        log.error("❌ event cannot hand on again", event_id=str(record.id), error=type(error).__name__)
        return None
    return event, Delivery(str(record.id), record.correlation_id, record.accepted_at)


def _asked(event_type: str, name: str, delivered: list[Delivered]) -> Jobs:
    """The jobs of one reaction; an event with which it fails is reported, and keeps no other waiting."""
    reaction = reactions(event_type).get(name)
    try:
        return (reaction and jobs_of(reaction, delivered)) or []
    except (StoreError, RedisError):
        raise
    except Exception as error:
        if len(delivered) > 1:
            return [job for each in delivered for job in _asked(event_type, name, [each])]
        log.exception("❌ event cannot hand on again", reaction=name, event_id=delivered[0][1].event_id)
        sentry.capture(error)
        return []
