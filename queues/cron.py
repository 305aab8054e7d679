"""The cron table in Redis: exact ticks, each once, however many schedulers run.

Kept in rq-scheduler's own keys, so its tools see the entries. One script call moves an entry to its next
time and enqueues a fresh job; who moves it, enqueues it. So there is no lock, and nothing is half done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import structlog
from croniter import croniter
from redis import Redis, RedisError
from rq_scheduler import Scheduler as RqScheduler

import config
from queues.enqueue import CronGuard, NewJob, enqueue_guarded
from queues.job import Job

log = structlog.get_logger()

RECONNECT = 2.0  # seconds between two tries to reach an absent Redis
HEARTBEAT = 60  # seconds between two signs of life; the key lapses 10 s later


@dataclass(frozen=True)
class CronEntry:
    """One line of the cron table. `func` is called with `tick`, the ISO time that it was due at."""

    name: str
    cron: str
    func: str
    queue: str
    description: str
    time_zone: str | None = None  # None: the setting TZ

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone) if self.time_zone else config.settings().time_zone

    @property
    def line(self) -> dict[str, str]:
        """What decides when it is due."""
        return {"cron_string": self.cron, "time_zone": self.zone.key}

    def next_after(self, moment: datetime) -> datetime:
        """The first time after `moment` that the entry is due, in UTC; in its own time zone, DST included."""
        due: datetime = croniter(self.cron, moment.astimezone(self.zone)).get_next(datetime)
        return due.astimezone(UTC)

    def job(self, due: datetime) -> NewJob:
        """The tick's job. Its id holds the due time: the same tick is enqueued once."""
        return NewJob(
            queue=self.queue,
            func=self.func,
            id=f"{self.name}-{due:%Y%m%dT%H%M}",
            kwargs={"tick": due.isoformat()},
            description=f"{self.name} {due:%Y-%m-%d %H:%M} UTC",
            meta={"tick": due.isoformat()},
        )


class Scheduler(RqScheduler):
    """Holds a cron table and enqueues its ticks. Any number may run at once."""

    job_class = Job

    def __init__(self, table: Sequence[CronEntry], connection: Redis, name: str | None = None):
        super().__init__(connection=connection, interval=HEARTBEAT, job_class=Job, name=name)
        self.table = {entry.name: entry for entry in table}

    def register(self, moment: datetime) -> None:
        """Make Redis hold exactly this table; safe to repeat.

        An entry that is there keeps its time, so that an overdue tick stays overdue; one whose cron line or
        time zone changed starts anew.
        """
        stored = self._stored_lines()
        with self.connection.pipeline() as pipeline:
            for entry in self.table.values():
                self._template(entry).save(pipeline=pipeline)
                due = {entry.name: entry.next_after(moment).timestamp()}
                pipeline.zadd(self.scheduled_jobs_key, due, nx=stored.get(entry.name) == entry.line)
            for name in self.names() - self.table.keys():
                pipeline.zrem(self.scheduled_jobs_key, name)
                pipeline.delete(Job.key_for(name))
            pipeline.execute()

    def names(self) -> set[str]:
        """The entries that Redis holds."""
        return {name.decode() for name in self.connection.zrange(self.scheduled_jobs_key, 0, -1)}

    def tick(self, moment: datetime) -> int:
        """Enqueue what is due; returns how many ticks this scheduler enqueued.

        A missed tick is made up for once, however many were missed: never a burst.
        """
        due = self.connection.zrangebyscore(
            self.scheduled_jobs_key, "-inf", moment.timestamp(), withscores=True
        )
        ticks = [
            (self.table[name.decode()], datetime.fromtimestamp(at, UTC))
            for name, at in due
            if name.decode() in self.table
        ]
        enqueued = enqueue_guarded([(entry.job(at), self._guard(entry, moment)) for entry, at in ticks])
        for (entry, at), ours in zip(ticks, enqueued, strict=True):
            if ours:
                log.info("⏰ tick", entry=entry.name, due=at.isoformat())
        return sum(enqueued)

    def seconds_until_due(self, moment: datetime) -> float:
        """How long until the next entry is due; HEARTBEAT at most, 0 when one is overdue."""
        first = self.connection.zrange(self.scheduled_jobs_key, 0, 0, withscores=True)
        wait = first[0][1] - moment.timestamp() if first else HEARTBEAT
        return max(0.0, min(HEARTBEAT, wait))

    def _guard(self, entry: CronEntry, moment: datetime) -> CronGuard:
        return CronGuard(self.scheduled_jobs_key, entry.name, entry.next_after(moment).timestamp())

    def _template(self, entry: CronEntry) -> Job:
        """What rq-scheduler's tools show of the entry; it is never run itself."""
        job: Job = self._create_job(
            entry.func, id=entry.name, description=entry.description, queue_name=entry.queue, commit=False
        )
        job.meta.update(entry.line)
        return job

    def _stored_lines(self) -> dict[str, dict[str, str]]:
        jobs = Job.fetch_many(list(self.table), connection=self.connection)
        return {name: job.meta for name, job in zip(self.table, jobs, strict=True) if job}

    def run(self, stop: threading.Event, on_wake: Callable[[], object]) -> None:
        """Until `stop` is set: enqueue what is due, call `on_wake`, sleep until the next entry is due.

        Outlives an absent Redis: it tries again every RECONNECT seconds, and nothing due is forgotten.
        """
        while not stop.is_set():
            try:
                wait = self.wake(datetime.now(UTC))
            except RedisError as error:
                log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
                wait = RECONNECT
            on_wake()
            stop.wait(wait)
        with suppress(RedisError):  # its key lapses by itself
            self.connection.delete(self.key)

    def wake(self, moment: datetime) -> float:
        """Show that we live and enqueue what is due; returns the seconds to sleep.

        Our key is missing at the start, and when Redis came back empty: then the table is put there first.
        """
        if not self.connection.expire(self.key, HEARTBEAT + 10):
            self.register(moment)
            self.connection.hset(self.key, "birth", time.time())
            self.connection.expire(self.key, HEARTBEAT + 10)
        self.tick(moment)
        return self.seconds_until_due(moment)
