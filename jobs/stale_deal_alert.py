"""Say once of each open deal that nothing has happened with it for long, and once more when it is at risk.

`run` only fans out, in ranges of deals: each is one update, and may be repeated or die at any point. A
workspace with a time zone has its alerts at 9 there. Rules: docs/stale-deals.md. Their boundaries, as a table
of cases: tests/jobs/test_stale_deal_alert.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import structlog
from bson import ObjectId

from models import deal_silence, store
from models.business_profile import BusinessProfile
from models.deal_silence import Range
from models.workspace import Workspace
from publishers import silence
from queues.enqueue import NewJob, enqueue_each_at
from queues.names import ANALYTICS
from schemas.rules import StaleDealRules
from services import daily

HOUR = 9  # in a workspace's own time zone; those without one follow the cron table
RANGE = 5_000  # deals of one job: seconds of work, far below its time limit
AT_ONCE = 500  # jobs per round trip
HELD = "Nobody is told of stale deals until your rules are right"
BATCHES = "stale-deals-"  # how the names of what comes of the ranges begin

log = structlog.get_logger()


def run(tick: str) -> int:
    """Enqueue one `alert` per range of deals that are due; returns how many.

    Safe to run twice and to die in: what was not enqueued is still due, and a range has one job a moment.
    """
    moment = datetime.fromisoformat(tick)
    _finish_left_over(moment)
    _apply_new_rules(moment)
    moments = {each: daily.next_at(HOUR, zone, moment) for each, zone in Workspace.zones().items()}
    planned, jobs = 0, _jobs(moment, moments)
    while some := list(islice(jobs, AT_ONCE)):
        enqueue_each_at(some)
        planned += len(some)
    log.info("🕰️  Stale deals planned", ranges=planned)
    return planned


def alert(workspace_id: str, part: dict[str, str | None], as_of: str) -> dict[str, int]:
    """Look at one range, and publish the levels that deals reached.

    Safe to run twice: what was looked at has left the range, and what is to be told is noted in the deal
    until it is published. Three store commands, and two more when there is something to tell; none per deal.
    """
    found, moment = _range(workspace_id, part), datetime.fromisoformat(as_of)
    rules = BusinessProfile.if_valid(found.workspace_id, StaleDealRules, HELD)
    if rules is None:
        return {"looked": 0, "told": 0}
    batch = _batch(found, moment)
    looked = deal_silence.look(found, moment, rules, batch)
    told = silence.told(deal_silence.alerted(batch))
    log.info("🕰️  Stale deals told", workspace_id=workspace_id, deals=looked, alerts=told)
    return {"looked": looked, "told": told}


def _finish_left_over(moment: datetime) -> None:
    """What jobs before this tick's did not come to do: alerts to publish, tasks to close."""
    while left := deal_silence.left_over(BATCHES, f"{BATCHES}{moment:%Y%m%dT%H%M%S}", RANGE):
        silence.told(left)
    while over := deal_silence.ended(limit=RANGE):
        silence.ended(over, store.now())


def _apply_new_rules(moment: datetime) -> None:
    """Deals of workspaces whose rules have changed are looked at anew."""
    changed = BusinessProfile.unapplied(StaleDealRules)
    deal_silence.replan(changed, moment)
    BusinessProfile.mark_applied(changed)


def _jobs(tick: datetime, moments: Mapping[ObjectId, datetime]) -> Iterator[tuple[NewJob, datetime]]:
    for part, as_of in deal_silence.ranges(tick, moments, RANGE):
        job = NewJob(
            queue=ANALYTICS,
            func="jobs.stale_deal_alert.alert",
            id=_batch(part, as_of),
            kwargs={
                "workspace_id": str(part.workspace_id),
                "part": _plain(part),
                "as_of": as_of.isoformat(),
            },
            description=f"silence of {part.deals} deals",
            meta={"workspace_id": str(part.workspace_id)},
        )
        yield job, as_of


def _batch(part: Range, as_of: datetime) -> str:
    """The id of a range's job, and the name of what comes of it: no two ranges begin with the same deal."""
    return f"{BATCHES}{as_of:%Y%m%dT%H%M%S}-{part.workspace_id}-{part.first_id}"


def _plain(part: Range) -> dict[str, str | None]:
    return {
        "first": part.first.isoformat() if part.first else None,
        "last": part.last.isoformat() if part.last else None,
        "first_id": str(part.first_id),
        "last_id": str(part.last_id),
    }


def _range(workspace_id: str, part: dict[str, Any]) -> Range:
    first, last = (datetime.fromisoformat(part[name]) if part[name] else None for name in ("first", "last"))
    return Range(ObjectId(workspace_id), first, last, ObjectId(part["first_id"]), ObjectId(part["last_id"]))
