"""What becomes of an automation's run. Safe to repeat."""

from __future__ import annotations

from models.trigger_run import DONE, SKIPPED, TriggerRun
from publishers import events
from schemas.workflow import WorkflowCompleted


def settle(run_id: str) -> None:
    """Bring the run's status up to date, and tell that it is over when its last step has ended."""
    run = TriggerRun.settle(run_id)
    if run and run.status != SKIPPED:
        completed(run)


def completed(run: TriggerRun) -> None:
    """Each outcome once: a run that failed has another one when its dead letters were requeued and done.

    At once, not with a batch: it is one automation deeper than the event that it ran for.
    """
    events.publish(
        WorkflowCompleted(
            workspace_id=str(run.workspace_id),
            trigger_id=str(run.trigger_id),
            event_id=str(run.event_id),
            contact_id=str(run.contact_id) if run.contact_id else None,
            outcome="succeeded" if run.status == DONE else "failed",
        ),
        correlation_id=run.correlation_id,
        causation_id=str(run.event_id),
        depth=run.depth + 1,
    )
