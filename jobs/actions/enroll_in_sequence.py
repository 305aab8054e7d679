"""Enrol the contact in a sequence. Safe to run twice: a step enrols once."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from jobs.actions.step import Outcome, Step
from models.enrolment import Enrolment
from models.event import EventRecord
from models.sequence import Sequence
from models.trigger_run import DONE, SKIPPED
from services.automation.actions import EnrollInSequence

OFF = "the sequence {} is switched off"


class NoSequence(Exception):
    """The automation's sequence is gone: choose another, then requeue this job."""

    permanent = True


def do(action: EnrollInSequence, step: Step) -> Outcome:
    sequence = _sequence(action, step.workspace_id)
    if not sequence.is_active:
        return Outcome(SKIPPED, OFF.format(sequence.name))
    is_new = Enrolment.enrol_once(
        workspace_id=step.workspace_id,
        sequence_id=sequence.id,
        version=sequence.version,
        contact_id=ObjectId(step.facts["contact"]["id"]),
        key=step.key,
    )
    return Outcome(DONE, f"enrolled in {sequence.name}" if is_new else f"was in {sequence.name} already")


def obstacle(action: EnrollInSequence, record: EventRecord, _facts: dict[str, Any]) -> str | None:
    """Of the sequence; whether the contact is in it already is not looked up."""
    try:
        sequence = _sequence(action, record.workspace_id)
    except NoSequence as error:
        return str(error)
    return None if sequence.is_active else OFF.format(sequence.name)


def _sequence(action: EnrollInSequence, workspace_id: ObjectId) -> Sequence:
    found = Sequence.of(workspace_id, ObjectId(action.sequence_id))
    if found is None:
        raise NoSequence(f"there is no sequence {action.sequence_id}: choose another in the automation")
    return found
