"""One job on one CRM, as a process of its own: `seed` fills the store, `run` measures and prints JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

from pymongo import monitoring

import config
from bench.automations_jobs import JOBS
from bench.store_commands import StoreCommands
from models import store
from queues.connection import redis
from queues.job import Job
from services import logs

counter = StoreCommands()


def main() -> None:
    step, name, contacts = sys.argv[1:]
    monitoring.register(counter)
    settings = config.settings()
    logs.configure(settings.log_format, settings.log_level)
    store.connect(settings.mongodb_uri.get_secret_value())
    job = JOBS[name]
    if step == "seed":
        store.ensure_indexes()
        job.seed(int(contacts))
        return
    ranges = 0

    def run() -> None:
        nonlocal ranges
        job.run()
        ranges = _work_off(job.QUEUE)

    seconds = _seconds(run)
    commands = counter.sent
    job.check(int(contacts))
    bare = _seconds(job.bare)
    part = {
        "contacts": int(contacts),
        "seconds": round(seconds, 3),
        "bare_seconds": round(bare, 3),
        "commands": commands,
        "ranges": ranges,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024, 1),
    }
    print(json.dumps(part))


def _seconds(function: Any) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _work_off(queue: str) -> int:
    """Run the jobs of a queue in this process; returns how many."""
    done = 0
    while job_id := redis().lpop(f"rq:queue:{queue}"):
        job = Job.fetch(job_id.decode(), redis())
        job.func(**job.kwargs)
        done += 1
    return done


if __name__ == "__main__":
    main()
