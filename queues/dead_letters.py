"""Dead letters: the jobs that failed for good, in RQ's failed registry of their queue.

Each move is one script call for up to BATCH jobs, so a process that dies leaves every job in one place, and
5,000 dead letters cost some twenty round trips. Safe to run twice and beside `rq requeue`.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rq.registry import FailedJobRegistry
from rq.utils import as_text, now, utcformat

from queues import keys, records
from queues.connection import redis
from queues.job import Job
from queues.names import BY_PRIORITY, options
from queues.records import Record
from queues.scripts import script

BATCH = 500  # jobs per script call: keeps one call under a few milliseconds
_GONE = -1  # what requeue.lua says of a job whose data has expired


class NoDeadLetter(LookupError):
    """No failed registry holds a job of this id."""

    permanent = True


@dataclass(frozen=True)
class DeadLetter:
    """A job that failed for good, and why. Times are UTC."""

    id: str
    queue: str
    func: str = ""
    description: str = ""
    error: str = ""  # the line of the traceback that names the exception
    traceback: str = ""
    created_at: datetime | None = None
    failed_at: datetime | None = None
    expires_at: datetime | None = None  # None: kept until it is requeued or purged
    kwargs: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Moved:
    """What became of some dead letters."""

    done: int = 0
    missing: tuple[str, ...] = ()  # ids that are in no failed registry
    gone: int = 0  # entries whose job had expired; they are removed


def registry_key(queue: str) -> str:
    """RQ's sorted set of the queue's dead letters, by the time until which they are kept."""
    return str(FailedJobRegistry.key_template.format(options(queue).name))


def count(queue: str | None = None) -> int:
    """How many there are, in one queue or in all."""
    with redis().pipeline(transaction=False) as pipeline:
        for name in _names(queue):
            pipeline.zcard(registry_key(name))
        return sum(pipeline.execute())


def page(queue: str | None = None, *, offset: int = 0, limit: int = 20) -> list[DeadLetter]:
    """Some, the latest first, without those that have lapsed. Two round trips. Raises `UnknownQueue`."""
    names = _names(queue)
    with redis().pipeline(transaction=False) as pipeline:
        for name in names:
            # What has lapsed is left to the trim, which also gives up what waits for it.
            pipeline.zrevrangebyscore(
                registry_key(name), "+inf", now().timestamp(), start=0, num=offset + limit, withscores=True
            )
        entries = pipeline.execute()
    by_queue = [
        [(score, name, job_id.decode()) for job_id, score in found]
        for name, found in zip(names, entries, strict=True)
    ]
    latest = heapq.merge(*by_queue, key=lambda entry: entry[0], reverse=True)
    return _read(list(itertools.islice(latest, offset, offset + limit)))


def get(job_id: str) -> DeadLetter:
    """One of them. Raises `NoDeadLetter`."""
    for queue, ids in _by_queue([job_id]).items():
        score = redis().zscore(registry_key(queue), ids[0])
        if score is not None:
            return _read([(float(score), queue, job_id)])[0]
    raise NoDeadLetter(_explain_missing(job_id))


def requeue(ids: Sequence[str]) -> Moved:
    """Put them back on their queues, with all their retries."""
    return _move(ids, _requeue)


def purge(ids: Sequence[str]) -> Moved:
    """Delete them, with their results."""
    return _move(ids, _purge)


def requeue_all(queue: str) -> Iterator[Moved]:
    """Requeue those that are there now, batch by batch. Raises `UnknownQueue`."""
    return _move_all(queue, _requeue)


def purge_all(queue: str) -> Iterator[Moved]:
    """Delete those that are there now, batch by batch. Raises `UnknownQueue`."""
    return _move_all(queue, _purge)


def _names(queue: str | None) -> list[str]:
    return [options(queue).name] if queue else BY_PRIORITY


def _requeue(queue: str, ids: Sequence[str]) -> list[int]:
    waits = options(queue).retry_waits
    results: list[int] = script("requeue", redis())(
        keys=[registry_key(queue), keys.queue_key(queue), keys.ALL_QUEUES, keys.DOORBELL],
        args=[utcformat(now()), len(waits), json.dumps(list(waits)), *ids],
    )
    return results


def _purge(queue: str, ids: Sequence[str]) -> list[int]:
    results: list[int] = script("purge", redis())(keys=[registry_key(queue)], args=[utcformat(now()), *ids])
    return results


def _move(ids: Sequence[str], action: Callable[[str, Sequence[str]], list[int]]) -> Moved:
    done, gone, found = 0, 0, set[str]()
    for queue, mine in _by_queue(list(dict.fromkeys(ids))).items():
        for batch in _batches(mine):
            results = action(queue, batch)
            found.update(job_id for job_id, result in zip(batch, results, strict=True) if result)
            done += results.count(1)
            gone += results.count(_GONE)
    return Moved(done, tuple(job_id for job_id in dict.fromkeys(ids) if job_id not in found), gone)


def _move_all(queue: str, action: Callable[[str, Sequence[str]], list[int]]) -> Iterator[Moved]:
    # No more than there were at the start: a job that fails again comes back to the end of the registry.
    left = count(queue)
    while left > 0:
        ids: list[Any] = list(redis().zrange(registry_key(queue), 0, min(left, BATCH) - 1))
        if not ids:
            return
        results = Counter(action(queue, ids))
        yield Moved(done=results[1], gone=results[_GONE])
        left -= len(ids)


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _by_queue(ids: Sequence[str]) -> dict[str, list[str]]:
    """The queue of each id, by the registries themselves: a job's data may have expired."""
    groups: dict[str, list[str]] = {}
    for batch in _batches(list(ids)):
        with redis().pipeline(transaction=False) as pipeline:
            for name in BY_PRIORITY:
                pipeline.zmscore(registry_key(name), batch)
            scores = pipeline.execute()
        for name, found in zip(BY_PRIORITY, scores, strict=True):
            mine = [job_id for job_id, score in zip(batch, found, strict=True) if score is not None]
            if mine:
                groups.setdefault(name, []).extend(mine)
    return groups


def _explain_missing(job_id: str) -> str:
    status = redis().hget(Job.key_for(job_id), "status")
    if status:
        return f"job {job_id} is not a dead letter: it is {as_text(status)}"
    return f"there is no dead letter {job_id}; list them with: flask dlq list"


def _read(entries: Sequence[tuple[float, str, str]]) -> list[DeadLetter]:
    found = records.read([job_id for _, _, job_id in entries])
    return [_letter(score, queue, record) for (score, queue, _), record in zip(entries, found, strict=True)]


def _letter(score: float, queue: str, record: Record) -> DeadLetter:
    job, expires_at = record.job, datetime.fromtimestamp(score, UTC) if score > 0 else None
    if job is None:
        lost = "its data is gone or unreadable: purge it"
        return DeadLetter(record.id, queue, error=lost, expires_at=expires_at)
    func, kwargs = records.call(job)
    return DeadLetter(
        id=record.id,
        queue=queue,
        func=func,
        description=job.description or "",
        error=record.error,
        traceback=record.traceback,
        created_at=job.created_at,
        failed_at=job.ended_at,
        expires_at=expires_at,
        kwargs=kwargs,
        meta=job.meta,
    )
