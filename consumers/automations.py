"""Automations: the check on each event, and the job on `crm-workflow-bridge` that plans those that match.

Each action of a run is a job of its own, `jobs/automation_step.py`: it is retried alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from bson import ObjectId

import config
from consumers.registry import Delivered, Delivery, Jobs, hands_on, takes_many
from models import facts, store
from models.event import EventRecord
from models.trigger import Trigger
from models.trigger_run import FAILED, OPEN, SKIPPED, RunStep, TriggerRun
from publishers import workflows
from queues import job_state
from queues.enqueue import NewJob, enqueue_many
from queues.names import CRM_WORKFLOW_BRIDGE
from schemas.email import SentEmailEvent
from schemas.event import Event
from schemas.workflow import WorkflowCompleted
from services import conditions
from services.automation.actions import current
from services.conditions import BadCondition, Condition

DEEPEST = 8  # automations in a chain, each started by what the one before it did
LOST_AGE = timedelta(hours=1)  # far beyond the retries (36 s), as in `publishers.relay`
CLOCKS = timedelta(minutes=1)  # by which those of two machines may differ
MOST_RECOVERED = 500  # runs at once
# What an action comes to whose job has this status, though nobody recorded an end.
ENDS: dict[str, tuple[str, dict[str, str]]] = {
    "canceled": (SKIPPED, {"note": "its job was cancelled"}),
    "failed": (FAILED, {"error": "its job is a dead letter"}),
}
CHECK = "check_automations"  # the reaction that hands the planning on
PLANNED = "run_automations"  # stands among the reactions of an event whose runs are decided

log = structlog.get_logger()


@takes_many
@hands_on
def check_automations(events: Sequence[Delivered]) -> Jobs:
    """The last reaction to every event: the run of the workspace's automations for it, if it has any.

    Mail scanners set off nothing: nobody opened or clicked. Safe to run twice: the job has the event's id.
    """
    people = [(event, delivery) for event, delivery in events if not _is_machine(event)]
    if not people:
        return []
    first, _ = people[0]
    if not Trigger.any_for(ObjectId(first.workspace_id), first.type):
        return []
    return [_planning(event, delivery) for event, delivery in people]


def _is_machine(event: Event) -> bool:
    return isinstance(event, SentEmailEvent) and event.is_machine


def _planning(event: Event, delivery: Delivery) -> NewJob:
    return NewJob(
        queue=CRM_WORKFLOW_BRIDGE,
        func="consumers.automations.run",
        id=f"automations-{delivery.event_id}",
        kwargs={"event_id": delivery.event_id},
        description=f"automations for {event.type}",
        meta={**delivery.meta, "workspace_id": event.workspace_id},
    )


def run(event_id: str) -> int:
    """Decide which automations an event runs, and enqueue their actions; returns how many it ran.

    Safe to run twice: it is decided once, whatever becomes of the contact and the automations afterwards, and
    a step has one job.
    """
    record = EventRecord.objects.get(id=ObjectId(event_id))
    if PLANNED not in record.reactions:
        _plan(record)
    runs = TriggerRun.of_event(record.id)
    enqueue_many(_jobs(runs))
    return sum(bool(run.steps) for run in runs)


def recover() -> int:
    """Enqueue once more the actions whose jobs were lost with Redis; returns how many.

    Those whose jobs will do nothing any more end: else they would be done when Redis has forgotten the jobs.
    One indexed query when there is nothing to do. Safe to run at any time: an action has one job.
    """
    jobs = _jobs(TriggerRun.unfinished(store.now() - LOST_AGE, MOST_RECOVERED))
    states = job_state.statuses([str(job.id) for job in jobs]) if jobs else {}
    for job in jobs:
        if job.id in states and states[job.id] in ENDS:
            _end(job, *ENDS[states[job.id]])
    lost = [job for job in jobs if job.id not in states]
    if lost:
        enqueue_many(lost)
    return len(lost)


def _end(job: NewJob, status: str, why: dict[str, str]) -> None:
    run_id, place = job.kwargs["run_id"], job.kwargs["place"]
    TriggerRun.end_step(run_id, place, status, **why)
    workflows.settle(run_id)


def _jobs(runs: Sequence[TriggerRun]) -> list[NewJob]:
    """Of all that is yet to be done."""
    return [_job(run, place) for run in runs for place, step in enumerate(run.steps) if step.status in OPEN]


def _plan(record: EventRecord) -> None:
    known = facts.of(record)
    runs = []
    for trigger in Trigger.active_for(record.workspace_id, record.type):
        try:
            if (
                _is_younger(trigger, record)
                or is_own_end(str(trigger.id), record)
                or not conditions.all_hold(_conditions(trigger), known)
            ):
                continue
            reason = _why_not(trigger, record)
        except BadCondition as error:
            reason = str(error)
        runs.append(_run(trigger, record, reason))
    TriggerRun.store_new(runs)
    record.mark_reaction(PLANNED)


def _is_younger(trigger: Trigger, record: EventRecord) -> bool:
    """An automation does not reach back, though the planning is late, as after a loss of Redis' data."""
    return bool(record.done_at and trigger.created_at > record.done_at + CLOCKS)


def too_deep(record: EventRecord) -> str | None:
    """Why the event sets off nothing more; None when it may."""
    if record.depth < DEEPEST:
        return None
    return f"the event is the end of a chain of {record.depth} automations, and {DEEPEST} is the most"


def is_own_end(trigger_id: str, record: EventRecord) -> bool:
    """An automation that waits for ends of automations does not wait for its own."""
    return bool(record.type == WorkflowCompleted.type and record.payload.get("triggerId") == trigger_id)


def _conditions(trigger: Trigger) -> list[Condition]:
    return [Condition(c.field, c.operator, c.value) for c in trigger.conditions]


def _why_not(trigger: Trigger, record: EventRecord) -> str | None:
    """Why it must not run although its conditions hold; None, and the run counted, when it may."""
    if reason := too_deep(record):
        return reason
    most = config.settings().automation_runs_per_minute
    return None if trigger.claim_run(record.id, store.now(), most) else _too_often(trigger, most)


def too_often(trigger: Trigger, record: EventRecord) -> str | None:
    """Why it must not run in this minute; None when it may. Counts nothing."""
    most = config.settings().automation_runs_per_minute
    return _too_often(trigger, most) if trigger.is_full(record.id, store.now(), most) else None


def _too_often(trigger: Trigger, most: int) -> str:
    return f"it ran {min(most, trigger.max_runs_per_minute or most)} times in this minute, which is its limit"


def _run(trigger: Trigger, record: EventRecord, reason: str | None) -> TriggerRun:
    if reason:
        log.warning("⏭️  automation does not run", trigger_id=str(trigger.id), reason=reason)
    return TriggerRun(
        workspace_id=record.workspace_id,
        trigger_id=trigger.id,
        event_id=record.id,
        event_type=record.type,
        contact_id=store.object_id(record.payload.get("contactId")),
        correlation_id=record.correlation_id,
        depth=record.depth,
        reason=reason,
        steps=[] if reason else [_step(action) for action in trigger.actions],
    )


def _step(action: dict[str, Any]) -> RunStep:
    wire = current(action)
    return RunStep(kind=wire["type"], action=wire)


def _job(run: TriggerRun, place: int) -> NewJob:
    return NewJob(
        queue=CRM_WORKFLOW_BRIDGE,
        func="jobs.automation_step.run",
        id=f"automation-{run.id}-{place}",
        kwargs={"run_id": run.id, "place": place},
        description=f"automation: {run.steps[place].kind} for {run.event_type}",
        meta={
            "event_id": str(run.event_id),
            "correlation_id": run.correlation_id,
            "workspace_id": str(run.workspace_id),
        },
    )
