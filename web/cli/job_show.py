"""`flask jobs show` and `flask jobs cancel`: one job, by its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from queues import batches, enqueue, job_state
from queues.job_state import JobState
from queues.progress import Progress
from web.cli import output
from web.cli.command import example, json_option
from web.cli.jobs import commands

__all__ = ["commands"]


@commands.command("show", epilog=example("flask jobs show email-sync-20260601T1205"))
@click.argument("job_id", metavar="ID")
@json_option
def show(job_id: str, as_json: bool) -> None:
    """Show how far a job is, how often it was tried, and what it waits for."""
    state = job_state.get(job_id)
    if as_json:
        output.as_json(asdict(state))
    else:
        output.fields(_lines(state))


@commands.command("cancel", epilog=example("flask jobs cancel email-sync-20260601T1205"))
@click.argument("job_id", metavar="ID")
@json_option
def cancel(job_id: str, as_json: bool) -> None:
    """Cancel a job that has not started, and what waits for it."""
    if not enqueue.cancel(job_id):
        raise click.ClickException(f"{job_id} is not cancelled: it is {job_state.get(job_id).status}")
    if as_json:
        output.as_json({"job_id": job_id, "status": "canceled"})
    else:
        output.console().print(Text(f"{job_id} is cancelled."))


def _lines(state: JobState) -> Iterator[tuple[str, Any]]:
    """Each field by its name, in words."""
    words = asdict(state) | {
        "tries": None if state.tries is None else f"{state.tries} of {state.most_tries}",
        "most_tries": None,
        "stalls": state.stalls or None,
        "progress": state.progress and _progress(state.progress),
        "batch": state.batch and _batch(state.batch),
        "waits_for": _neighbours(state.waits_for),
        "followed_by": _neighbours(state.followed_by),
    }
    return ((name.replace("_", " "), value) for name, value in words.items())


def _progress(progress: Progress) -> str:
    how_far = f"{progress.done:g}"
    if progress.total:
        how_far += f" of {progress.total:g} ({progress.percent} %)"
    return f"{how_far}: {progress.note}" if progress.note else how_far


def _batch(batch: batches.Progress) -> str:
    return f"{batch.done:,} of {batch.total:,} done, {batch.failed:,} failed"


def _neighbours(jobs: Mapping[str, str]) -> list[str]:
    return [f"{job_id} ({status})" for job_id, status in jobs.items()]
