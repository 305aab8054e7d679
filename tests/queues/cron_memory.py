"""A cron table for tests, with a ledger in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rq.utils import as_text

from queues import profiles
from queues.connection import redis
from queues.cron import Scheduler
from queues.cron_entry import CronEntry
from queues.cron_plan import Plan

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NOTE = "tests.queues.sample_jobs.note"


class Memory:
    """A `CronStore`: what schedulers decided, and what the test says."""

    def __init__(self, *entries: CronEntry):
        self.entries: Sequence[CronEntry] = entries
        self.plans: list[Plan] = []
        self.last: dict[str, datetime] = {}

    def table(self) -> Sequence[CronEntry]:
        return self.entries

    def last_ticks(self, names: Iterable[str]) -> Mapping[str, datetime]:
        return {name: self.last[name] for name in names if name in self.last}

    def unfinished(self, names: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """Every job that was enqueued: as a ledger that was told of no end."""
        return {name: [p.entry.id_of(p.due) for p in self.run if p.entry.name == name] for name in names}

    def record(self, plans: Sequence[Plan]) -> None:
        self.plans += plans

    @property
    def run(self) -> list[Plan]:
        return [plan for plan in self.plans if plan.is_run]

    def ran(self) -> list[str]:
        """Due times of what was enqueued, like 12:05."""
        return [f"{plan.due:%H:%M}" for plan in self.run]

    def missed(self) -> list[str]:
        """Due times of what nobody enqueued in time."""
        return [f"{due:%H:%M}" for p in self.plans for due in (*p.earlier, *([p.due] if p.missed else []))]


def entry(
    name: str = "mail", cron: str = "*/5 * * * *", zone: str | None = None, **options: Any
) -> CronEntry:
    return CronEntry(name, cron, NOTE, "email-sync", "Pull mail", zone, **options)


def scheduler(store: Memory, **options: Any) -> Scheduler:
    """Of this process' profile."""
    return profiles.scheduler()(store, redis(), **options)


def queued() -> list[str]:
    return [as_text(job) for job in redis().lrange("rq:queue:email-sync", 0, -1)]


def finish_all() -> None:
    """As if a worker had run what is queued."""
    for job_id in queued():
        redis().hset(f"rq:job:{job_id}", "status", "finished")
    redis().delete("rq:queue:email-sync")
