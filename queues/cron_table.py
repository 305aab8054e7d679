"""The cron table as Redis holds it, in rq-scheduler's own keys, so that its tools see the entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from rq_scheduler import Scheduler as RqScheduler

from queues.cron_entry import CronEntry
from queues.cron_mark import Mark
from queues.cron_plan import Plan
from queues.enqueue import CronGuard, enqueue_guarded
from queues.job import Job

LAST_TICK_AGE = timedelta(days=1)  # a tick before that is not made up for when Redis lost the table

Marks = dict[str, Mark]


class CronTable(RqScheduler, ABC):
    """The entries and where each stands: a sorted set of their next due times, and a job as template each."""

    job_class = Job
    table: dict[str, CronEntry]

    def register(self, moment: datetime) -> None:
        """Make Redis hold exactly this table; safe to repeat.

        An entry that is there keeps its time, so that an overdue tick stays overdue; one whose cron line or
        time zone changed starts anew. One that Redis has lost goes on after its last tick in the ledger.
        """
        stored = self._stored_lines()
        lost = self.last_ticks(self.table.keys() - stored.keys())
        with self.connection.pipeline() as pipeline:
            for name, entry in self.table.items():
                self._template(entry).save(pipeline=pipeline)
                due = Mark(entry.next_after(_start(entry, lost.get(name), moment)))
                is_same = stored.get(name) in (None, entry.line)
                pipeline.zadd(self.scheduled_jobs_key, {name: due.score}, nx=is_same)
            for name in self.names() - self.table.keys():
                pipeline.zrem(self.scheduled_jobs_key, name)
                pipeline.delete(Job.key_for(name))
            pipeline.execute()

    @abstractmethod
    def last_ticks(self, names: Iterable[str]) -> Mapping[str, datetime]:
        """When the last ticks of entries that Redis lost were due, as far as somebody knows."""

    def names(self) -> set[str]:
        """The entries that Redis holds."""
        return {name.decode() for name in self.connection.zrange(self.scheduled_jobs_key, 0, -1)}

    def read(self) -> Marks:
        """Where our entries stand. Others may be there too: of another version during a deploy."""
        scores = self.connection.zrange(self.scheduled_jobs_key, 0, -1, withscores=True)
        return {name.decode(): Mark.of(at) for name, at in scores if name.decode() in self.table}

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

    def enqueue(self, plans: list[Plan]) -> list[Plan]:
        """Move the entries and enqueue their jobs, in one script call; returns those that we moved."""
        guarded = [
            (p.entry.job(p.due), CronGuard(self.scheduled_jobs_key, p.entry.name, p.moves_to.score))
            for p in plans
        ]
        return [p for p, is_ours in zip(plans, enqueue_guarded(guarded), strict=True) if is_ours]

    def move(self, plans: list[Plan]) -> list[Plan]:
        """Move the entries only; returns those that we moved."""
        if not plans:
            return []
        with self.connection.pipeline(transaction=False) as pipeline:
            for p in plans:
                scores = {p.entry.name: p.moves_to.score}
                pipeline.zadd(self.scheduled_jobs_key, scores, xx=True, gt=True, ch=True)
            return [p for p, is_ours in zip(plans, pipeline.execute(), strict=True) if is_ours]

    def put_back(self, marks: Marks) -> None:
        """Move entries back: the clock was."""
        scores = {name: mark.score for name, mark in marks.items()}
        self.connection.zadd(self.scheduled_jobs_key, scores, xx=True)


def _start(entry: CronEntry, last: datetime | None, moment: datetime) -> datetime:
    """The moment after which an entry that is new in Redis is due."""
    if last is None or last < moment - LAST_TICK_AGE:
        return moment
    return min(moment, max(last, entry.since or last))
