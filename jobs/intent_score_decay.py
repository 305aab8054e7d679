"""Let the contacts' intent fade, once a day.

`run` only fans out, in ranges of contacts: each is one update, and may be repeated or die at any point.
Rules: docs/intent.md. Their boundaries, as a table of cases: tests/jobs/test_intent_score_decay.py.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import structlog
from bson import ObjectId

from models import contact_intent, intent_decay
from models.business_profile import BusinessProfile
from models.decay_day import DecayDay
from models.intent_decay import Range
from publishers import intent
from queues.enqueue import NewJob, enqueue_many
from queues.names import ANALYTICS
from schemas.rules import IntentRules

RANGE = 5_000  # contacts of one job: seconds of work, far below its time limit
AT_ONCE = 500  # jobs per round trip
HELD = "No interest fades until your rules are right, and then for all days that were missed"

log = structlog.get_logger()


def run(tick: str) -> int:
    """Enqueue one `decay` per range of contacts that are due; returns how many.

    The day's first tick decides what is due on that day, so a second run changes nothing. Safe to run twice
    and to die in: what was not enqueued is still due, and a range has one job a day.
    """
    day = DecayDay.of(datetime.fromisoformat(tick))
    _announce_left_over(day)
    planned = 0
    jobs = (_job(day, part) for part in intent_decay.ranges(day.as_of, RANGE))
    while some := list(islice(jobs, AT_ONCE)):
        enqueue_many(some)
        planned += len(some)
    log.info("📉 Intent decay planned", day=day.id, ranges=planned)
    return planned


def decay(workspace_id: str, first: str, last: str, as_of: str) -> dict[str, int]:
    """Let the signals of one range fade, and publish the levels that were crossed.

    Safe to run twice: who has decayed has left the range, and a crossing is noted in its contact until it is
    published. Three store commands, and two per 250 contacts that crossed a level.
    """
    part = Range(ObjectId(workspace_id), datetime.fromisoformat(first), datetime.fromisoformat(last))
    moment = datetime.fromisoformat(as_of)
    rules = BusinessProfile.if_valid(part.workspace_id, IntentRules, HELD)
    if rules is None:
        return {"decayed": 0, "crossed": 0}
    batch = _batch(f"{moment:%Y-%m-%d}", part)
    occasion = f"decay:{moment:%Y-%m-%d}"
    decayed = intent_decay.decay(part, moment, rules, occasion=occasion, batch=batch)
    crossed = intent.crossed(contact_intent.crossed(batch))
    log.info("📉 Intent decayed", workspace_id=workspace_id, contacts=decayed, crossed=crossed)
    return {"decayed": decayed, "crossed": crossed}


def _announce_left_over(day: DecayDay) -> None:
    """What the jobs of former days did not come to publish."""
    while left := contact_intent.left_over("decay-", f"decay-{day.id}", RANGE):
        intent.crossed(left)


def _job(day: DecayDay, part: Range) -> NewJob:
    return NewJob(
        queue=ANALYTICS,
        func="jobs.intent_score_decay.decay",
        id=_batch(day.id, part),
        kwargs={
            "workspace_id": str(part.workspace_id),
            "first": part.first.isoformat(),
            "last": part.last.isoformat(),
            "as_of": day.as_of.isoformat(),
        },
        description=f"decay of {part.contacts} contacts",
        meta={"workspace_id": str(part.workspace_id)},
    )


def _batch(day: str, part: Range) -> str:
    """The id of a range's job, and the name of what comes of it."""
    return f"decay-{day}-{part.workspace_id}-{int(part.first.timestamp() * 1_000)}"
