"""Run a scheduled job, and keep the run ledger around it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from rq import get_current_job

from jobs import schedule
from models.cron_override import CronOverride
from models.tick import Tick
from queues.cron_entry import CronEntry
from queues.job import is_last_try
from services import checkins, logs

LONGEST_ERROR = 500  # characters kept in the ledger; the dead letter has the traceback

log = structlog.get_logger()


def run(name: str, tick: str) -> Any:
    """Call the entry's function with its tick; returns what that returns.

    Safe to run twice: a tick that is done according to the ledger is not done again. Raises what the function
    raises, and `UnknownJob` for an entry that was removed after its tick was enqueued.
    """
    entry = schedule.overridden(schedule.entry(name), CronOverride.of(name))
    due = datetime.fromisoformat(tick)
    job = get_current_job()
    job_id = job.id if job else entry.id_of(due)
    with structlog.contextvars.bound_contextvars(entry=name, tick=tick):
        if not Tick.begin(job_id, name, due, "cron" if job_id == entry.id_of(due) else "hand"):
            log.warning("⚠️  tick is done already")
            return None
        return _run(entry, tick, job_id)


def _run(entry: CronEntry, tick: str, job_id: str) -> Any:
    checkins.begin(entry.name, job_id, entry.cron, entry.zone.key)
    started = time.perf_counter()
    try:
        result = _function(entry.func)(tick=tick)
    except Exception as error:
        is_last, seconds = is_last_try(error), time.perf_counter() - started
        text = str(logs.redacted(f"{type(error).__name__}: {error}"))[:LONGEST_ERROR]
        Tick.fail(job_id, text, seconds, is_last=is_last)
        if is_last:
            checkins.end(entry.name, job_id, is_ok=False, seconds=seconds)
        raise
    seconds = time.perf_counter() - started
    Tick.succeed(job_id, seconds, entry.grace)
    checkins.end(entry.name, job_id, is_ok=True, seconds=seconds)
    return result


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
