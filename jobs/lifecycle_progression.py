"""Move contacts along the lifecycle, by rule: lead, MQL, SQL, opportunity, customer.

`run` only fans out, in ranges of those contacts of which something has happened since they were looked at.
Rules: docs/lifecycle.md. Their boundaries, as tables of cases: tests/jobs/test_lifecycle_progression.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

import structlog
from bson import ObjectId

from models import contact_lifecycle
from models.activity import Activity
from models.business_profile import BusinessProfile
from models.contact_lifecycle import Range, Row
from models.deal import Deal
from models.form_submission import FormSubmission
from models.lifecycle_step import LifecycleStep
from models.once import Once
from publishers import lifecycle as publishing
from queues.enqueue import NewJob, enqueue_many
from queues.names import ANALYTICS
from schemas.contact import Stage
from schemas.rules import LifecycleRules
from services import lifecycle
from services.lifecycle import Known

RANGE = 5_000  # contacts of one job: seconds of work, far below its time limit
AT_ONCE = 500  # jobs per round trip
FIRST_TIME = "lifecycle-progression: contacts of before"
HELD = "No contact moves along the lifecycle until your rules are right"

log = structlog.get_logger()


def run(tick: str) -> int:
    """Enqueue one `progress` per range of marked contacts; returns how many jobs were planned.

    Workspaces whose rules have changed get a `recheck` of all their contacts; at the very first run all do.
    Three queries, whatever the number of workspaces. Safe to run twice and to die in: who was not enqueued
    is still marked.
    """
    if not Once.is_done(FIRST_TIME):
        BusinessProfile.recheck_all(contact_lifecycle.workspaces())
        Once.mark_done(FIRST_TIME)
    name = f"{datetime.fromisoformat(tick):%Y%m%dT%H%M%S}"
    rechecks = [_recheck_job(each, change, name) for each, change in BusinessProfile.to_recheck().items()]
    enqueue_many(rechecks)
    planned = _plan(name) + len(rechecks)
    log.info("🪜 Lifecycle progression planned", tick=tick, jobs=planned)
    return planned


def recheck(workspace_id: str, change: str, name: str) -> int:
    """Look at every contact of a workspace; returns how many jobs were planned.

    Safe to run twice and to die in: the change stays noted until all are marked.
    """
    workspace = ObjectId(workspace_id)
    contact_lifecycle.mark_all(workspace)
    BusinessProfile.rechecked(workspace, ObjectId(change))
    return _plan(f"{name}-{change}", workspace)


def progress(workspace_id: str, first: str, last: str) -> dict[str, int]:
    """Let the marked contacts of one range take the steps that are due, and tell of each.

    Safe to run twice and to die in: a step is noted in its contact by the write that takes it, and the mark
    goes once it is told. Six store commands at most, and four more when steps are taken; none per contact.
    """
    part = Range(ObjectId(workspace_id), ObjectId(first), ObjectId(last), RANGE)
    rules = BusinessProfile.if_valid(part.workspace_id, LifecycleRules, HELD)
    if rules is None:
        log.warning("⏸️  The lifecycle rules are invalid: nobody moves", workspace_id=workspace_id)
        return {"contacts": 0, "moved": 0}
    rows = {row["_id"]: row for row in contact_lifecycle.marked(part)}
    stages = _due(part.workspace_id, rows, rules)
    contact_lifecycle.advance(rows, stages)
    told = _tell(part.workspace_id, [each for each in rows if each in stages or _is_left_over(rows[each])])
    contact_lifecycle.looked_at(rows.values(), stages, told)
    log.info("🪜 Lifecycle progressed", workspace_id=workspace_id, contacts=len(rows), moved=len(told))
    return {"contacts": len(rows), "moved": len(told)}


def _due(
    workspace_id: ObjectId, rows: Mapping[ObjectId, Row], rules: LifecycleRules
) -> dict[ObjectId, list[Stage]]:
    """The steps of each contact that has some. What others know of it is asked only if it may matter."""
    known = {each: _known(row) for each, row in rows.items() if not contact_lifecycle.is_overridden(row)}
    ids = [each for each, of_it in known.items() if lifecycle.may_be_due(of_it, rules)]
    if not ids:
        return {}
    forms = [ObjectId(each) for each in rules.mql_forms] if rules.mql_forms else None
    with_form = FormSubmission.by_contacts(workspace_id, ids, forms)
    with_talk = Activity.by_contacts(workspace_id, ids, rules.sql_activities)
    deals = Deal.by_contacts(workspace_id, ids)
    found = {
        each: lifecycle.due(
            replace(
                known[each],
                has_form=each in with_form,
                has_talk=each in with_talk,
                has_deal=each in deals,
                has_won=deals.get(each, False),
            ),
            rules,
        )
        for each in ids
    }
    return {each: stages for each, stages in found.items() if stages}


def _known(row: Row) -> Known:
    return Known(row.get("lifecycle_stage"), row.get("lead_grade"), row.get("intent_score"))


def _is_left_over(row: Row) -> bool:
    """A run that died took steps and did not come to tell of them."""
    return "unannounced" in row["lifecycle"]


def _tell(workspace_id: ObjectId, contact_ids: Sequence[ObjectId]) -> dict[ObjectId, list[Row]]:
    """Enter the steps that contacts took in the history and publish them; returns them."""
    steps = contact_lifecycle.unannounced(contact_ids) if contact_ids else {}
    if steps:
        ids = {"workspace_id": workspace_id}
        LifecycleStep.record_all([{**ids, "contact_id": each, **s} for each in steps for s in steps[each]])
        publishing.stepped(workspace_id, steps)
    return steps


def _plan(name: str, workspace_id: ObjectId | None = None) -> int:
    planned = 0
    jobs = (_job(part, name) for part in contact_lifecycle.ranges(RANGE, workspace_id))
    while some := list(islice(jobs, AT_ONCE)):
        enqueue_many(some)
        planned += len(some)
    return planned


def _job(part: Range, name: str) -> NewJob:
    return NewJob(
        queue=ANALYTICS,
        func="jobs.lifecycle_progression.progress",
        id=f"lifecycle-{name}-{part.workspace_id}-{part.first}",
        kwargs={
            "workspace_id": str(part.workspace_id),
            "first": str(part.first),
            "last": str(part.last),
        },
        description=f"lifecycle of {part.contacts} contacts",
        meta={"workspace_id": str(part.workspace_id)},
    )


def _recheck_job(workspace_id: ObjectId, change: ObjectId, name: str) -> NewJob:
    return NewJob(
        queue=ANALYTICS,
        func="jobs.lifecycle_progression.recheck",
        id=f"lifecycle-{name}-{change}-{workspace_id}",
        kwargs={"workspace_id": str(workspace_id), "change": str(change), "name": name},
        description="lifecycle of all contacts",
        meta={"workspace_id": str(workspace_id)},
    )
