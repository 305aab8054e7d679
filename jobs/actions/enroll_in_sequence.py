"""Enrol the contact in a sequence. Safe to run twice: a step enrols once."""

from __future__ import annotations

from bson import ObjectId

from jobs.actions.step import Outcome, Step
from models.enrolment import Enrolment
from models.sequence import Sequence
from models.trigger_run import DONE, SKIPPED
from services.automation.actions import EnrollInSequence


class NoSequence(Exception):
    """The automation's sequence is gone: choose another, then requeue this job."""

    permanent = True


def do(action: EnrollInSequence, step: Step) -> Outcome:
    sequence = Sequence.of(step.workspace_id, ObjectId(action.sequence_id))
    if sequence is None:
        raise NoSequence(f"there is no sequence {action.sequence_id}: choose another in the automation")
    if not sequence.is_active:
        return Outcome(SKIPPED, f"the sequence {sequence.name} is switched off")
    is_new = Enrolment.enrol_once(
        workspace_id=step.workspace_id,
        sequence_id=sequence.id,
        version=sequence.version,
        contact_id=ObjectId(step.facts["contact"]["id"]),
        key=step.key,
    )
    return Outcome(DONE, f"enrolled in {sequence.name}" if is_new else f"was in {sequence.name} already")
