"""One action of an automation's run: a job of its own, so that it fails and is retried alone.

Its outcome stands in the run's history. What it does has a key of automation, event and place.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from rq.exceptions import AbandonedJobError

from jobs import actions
from jobs.actions import Outcome, Step
from models import facts
from models.event import EventRecord
from models.trigger import Trigger
from models.trigger_run import ENDED, FAILED, RETRYING, SKIPPED, TriggerRun
from publishers import workflows
from queues.job import Job, is_last_try
from services import logs
from services.automation.actions import current, parse

LONGEST_NOTE = 500  # characters kept in the history; the dead letter has the traceback
FUNC = "jobs.automation_step.run"

log = structlog.get_logger()


class RunGone(Exception):
    """The run or its event is kept no longer, so nobody knows what this step was to do: purge the job."""

    permanent = True


def run(run_id: str, place: int) -> str:
    """Do the action; returns what came of it.

    Safe to run twice: a step that has ended is not repeated, and one that dies before it is recorded repeats
    an action whose effect is unique.
    """
    found = TriggerRun.objects(id=run_id).first()
    if found is None:
        raise RunGone(f"the run {run_id} is kept no longer")
    if found.steps[place].status in ENDED:
        workflows.settle(run_id)  # unless that was done: its worker may have died just before
        return str(found.steps[place].status)
    started = time.perf_counter()
    try:
        outcome = _act(found, place)
    except Exception as error:
        status = FAILED if is_last_try(error) else RETRYING
        _end(found, place, status, time.perf_counter() - started, error=_text(error))
        raise
    _end(found, place, outcome.status, time.perf_counter() - started, note=outcome.note[:LONGEST_NOTE])
    return outcome.status


def mark_abandoned(job: Job, kind: type[BaseException], *_: Any) -> None:
    """Exception handler of the worker: the step of a quarantined job failed, like that of a dead letter."""
    if kind is AbandonedJobError and job.func_name == FUNC:
        error = "its worker died twice while it ran"
        TriggerRun.end_step(job.kwargs["run_id"], job.kwargs["place"], FAILED, error=error)
        workflows.settle(job.kwargs["run_id"])


def _act(run: TriggerRun, place: int) -> Outcome:
    trigger = Trigger.objects(id=run.trigger_id, is_active=True).only("name", "actions").first()
    if trigger is None:
        return Outcome(SKIPPED, "the automation was deleted or switched off before this step")
    record = EventRecord.objects(id=run.event_id).first()
    if record is None:
        raise RunGone(f"the event {run.event_id} is kept no longer")
    known = facts.of(record)
    wire = _put_right(run, place, [current(action) for action in trigger.actions])
    if wire is None:
        return Outcome(SKIPPED, "the automation has no such action any more")
    action = parse(wire)
    if action.needs_contact and not known["contact"]:
        return Outcome(SKIPPED, "the event has no contact, or it was deleted")
    return actions.do(action.rendered(known), Step(run, place, trigger.name, record, known))


def _put_right(run: TriggerRun, place: int, actions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What to do: as it was planned, but a dead letter that a person requeued as the automation has it now.

    It may have been put right; None when it was taken out. What had begun to change the contact ends as it
    began.
    """
    step = run.steps[place]
    planned = dict(step.action)
    if step.status != FAILED or step.changed or planned in actions:
        return planned
    if [each["type"] for each in actions] != [each.kind for each in run.steps]:
        return None
    TriggerRun.plan_anew(run.id, place, actions[place])
    return actions[place]


def _end(run: TriggerRun, place: int, status: str, seconds: float, **fields: str) -> None:
    TriggerRun.end_step(run.id, place, status, seconds=round(seconds, 3), **fields)
    if status != RETRYING:
        workflows.settle(run.id)
    log.info("⚙️  automation step", trigger_id=str(run.trigger_id), place=place, status=status)


def _text(error: Exception) -> str:
    return str(logs.redacted(f"{type(error).__name__}: {error}"))[:LONGEST_NOTE]
