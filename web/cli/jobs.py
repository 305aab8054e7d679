"""`flask jobs …`: the scheduled jobs, and running one now."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import click
from rich.text import Text

from jobs.schedule import ARCHIVED, SCHEDULE, entry
from models import store
from models.tick import QUEUED, Tick
from queues import dead_letters
from queues.connection import redis
from queues.enqueue import enqueue
from queues.job import Job
from web.cli import output, whoami
from web.cli.command import Group, example, json_option

POLL = 0.25  # seconds between two looks at a job that we wait for
ENDS = ("finished", "failed", "stopped", "canceled")
VANISHED = "vanished"

commands = Group("jobs", help="The scheduled jobs.")


@commands.command("list", epilog=example("flask jobs list"))
@json_option
def list_(as_json: bool) -> None:
    """List the scheduled jobs, and those that were archived."""
    if as_json:
        jobs = [
            {"name": e.name, "queue": e.queue, "cron": e.cron, "description": e.description} for e in SCHEDULE
        ]
        output.as_json({"jobs": jobs, "archived": ARCHIVED})
        return
    output.table(
        ["Job", "Queue", "Cron", "What it does"],
        [(e.name, e.queue, e.cron, e.description) for e in SCHEDULE],
        empty="No job is scheduled.",
    )
    output.console().print(Text(f"\nArchived, refused by name: {', '.join(ARCHIVED)}", style="dim"))


@commands.command("run", epilog=example("flask jobs run email-sync", "flask jobs run email-sync --wait"))
@click.argument("name")
@click.option("--wait", is_flag=True, help="Wait for its end; exit code 1 when it fails.")
@click.option("--timeout", default=600, show_default=True, help="Seconds to wait at most.")
@json_option
def run(name: str, wait: bool, timeout: int, as_json: bool) -> None:
    """Enqueue a scheduled job now, out of turn."""
    moment = store.now()
    job = entry(name).job_by_hand(moment)
    enqueue(job)
    Tick.record([_row(name, job.id, moment)])
    result: dict[str, Any] = {"job_id": job.id, "queue": job.queue, "status": "queued"}
    if wait:
        with output.progress(f"Running {name} …"):
            result |= _wait(job.id, timeout)
    if as_json:
        output.as_json(result)
    else:
        output.console().print(Text(_sentence(name, result, timeout if wait else None)))
    if wait and result["status"] not in ("finished", VANISHED):
        raise SystemExit(1)


def _row(name: str, job_id: str, moment: datetime) -> dict[str, Any]:
    """Its row in the run ledger; a worker that was faster has stored it already."""
    fields = {"trigger": "hand", "status": QUEUED, "reason": f"by {whoami.user()}"}
    return {"id": job_id, "entry": name, "due": moment, "enqueued_at": moment, **fields}


def _wait(job_id: str, timeout: int) -> dict[str, Any]:
    """The job's state at its end, or after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while (status := _status(job_id)) not in (*ENDS, VANISHED) and time.monotonic() < deadline:
        time.sleep(POLL)
    if status != "failed":
        return {"status": status}
    return {"status": status, "error": dead_letters.get(job_id).error}


def _status(job_id: str) -> str:
    status = redis().hget(Job.key_for(job_id), "status")
    return status.decode() if isinstance(status, bytes) else VANISHED


def _sentence(name: str, result: dict[str, Any], waited: int | None) -> str:
    job_id, status = result["job_id"], result["status"]
    if waited is None:
        return f"{name} is on the queue {result['queue']} as {job_id}."
    return {
        "finished": f"{name} is done ({job_id}).",
        VANISHED: f"{name} is done; its record was not kept ({job_id}).",
        "failed": f"{name} failed: {result.get('error')}\nSee: flask dlq show {job_id}",
    }.get(status, f"{name} is still {status} after {waited} s ({job_id}).")
