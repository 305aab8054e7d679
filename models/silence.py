"""The silence of a deal: who was alerted of it, and when it is looked at next.

It lasts since the latest activity, or since the deal was opened; any activity ends it. The state stands in
the deal itself and changes by one update each, which the store computes from what it holds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from bson import Int64, ObjectId
from mongoengine import (
    DateTimeField,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    StringField,
)

from schemas.rules import StaleDealRules

Expression = dict[str, Any]
Level = Literal["stale", "at_risk"]

TAG = "at-risk"  # of a deal of that level
DAY_MS = Int64(timedelta(days=1).total_seconds() * 1_000)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)  # when an alert of the last level is due again
# The silence that is on: since the latest activity, but not from before the deal was opened. What is entered
# late, or comes with a mailbox's first sync, may have happened long before.
SINCE: Expression = {"$ifNull": [{"$max": ["$last_activity_at", "$created_at"]}, {"$toDate": "$_id"}]}


class SilenceAlert(EmbeddedDocument):
    """A level was reached, and the event that says so is yet to be published."""

    level = StringField(required=True)
    since = DateTimeField(required=True)
    batch = StringField(required=True)  # whose turn it is to publish it

    meta = {"strict": False}


class Silence(EmbeddedDocument):
    due_at = DateTimeField()  # when it is looked at next; absent: soon, nobody has looked yet
    stale_days = IntField()  # the workspace's rule, as of the last look
    at_risk_days = IntField()
    level = StringField()  # that was reached; absent: none
    since = DateTimeField()  # of the silence that reached it
    unannounced = EmbeddedDocumentListField(SilenceAlert)
    ended = ListField(DateTimeField())  # alerted ones that are over: their tasks are yet to be closed

    meta = {"strict": False}


def task_key(deal_id: ObjectId, since: datetime) -> str:
    """Of the task that a silence brings about."""
    return f"deal.stale:{deal_id}:{since.isoformat()}"


def broken(at: datetime) -> list[Expression]:
    """The update of a deal when something happens at a moment: nothing changes unless it is the latest, and
    no silence ends by what happened before the deal was opened.

    That is asked for here and not in the filter, so that an index answers the filter alone.
    """
    is_latest = {"$gt": [at, {"$ifNull": ["$last_activity_at", None]}]}
    is_news = {"$gt": [at, SINCE]}
    due_at = {"$add": [at, {"$multiply": ["$silence.stale_days", DAY_MS]}]}  # null as long as nobody looked
    moved = {
        "last_activity_at": {"$cond": [is_latest, at, "$last_activity_at"]},
        "silence.due_at": {"$cond": [is_news, due_at, _kept("$silence.due_at")]},
    }
    return [{"$set": {**moved, **_over(when=is_news)}}]


def closed() -> list[Expression]:
    """The update of a deal that nobody has to be alerted of any more."""
    return [{"$set": _over(when=True)}]


def looked_at(as_of: datetime, rules: StaleDealRules, batch: str) -> list[Expression]:
    """The update of a deal whose silence is looked at. A level that it reached is announced by `batch`."""
    return [
        {"$set": _over(when={"$ne": ["$silence.since", SINCE]})},  # by a program that knows no silence
        {"$set": {"silence.reached": _reached(as_of, rules)}},
        {"$set": _told(rules, batch)},
    ]


def _over(*, when: Expression | bool) -> Expression:
    """An alerted silence is over: the tag goes, and what is left to do is noted."""
    alerted = {"$and": [when, {"$gt": ["$silence.level", None]}]}
    more = {"$concatArrays": [{"$ifNull": ["$silence.ended", []]}, ["$silence.since"]]}
    untagged = {"$filter": {"input": _tags(), "cond": {"$ne": ["$$this", TAG]}}}
    was_at_risk = {"$and": [when, {"$eq": ["$silence.level", "at_risk"]}]}
    return {
        "silence.ended": {"$cond": [alerted, more, _kept("$silence.ended")]},
        "silence.level": {"$cond": [when, "$$REMOVE", _kept("$silence.level")]},
        "silence.since": {"$cond": [when, "$$REMOVE", _kept("$silence.since")]},
        "tags": {"$cond": [was_at_risk, untagged, _kept("$tags")]},
    }


def _reached(as_of: datetime, rules: StaleDealRules) -> Expression:
    """The level, or null; one that was reached stays, whatever becomes of the rules and the clock."""
    stale = _if_quiet(as_of, rules.stale_days, "stale", {"$ifNull": ["$silence.level", None]})
    at_risk = _if_quiet(as_of, rules.at_risk_days, "at_risk", stale)
    return {"$cond": [{"$eq": ["$silence.level", "at_risk"]}, "at_risk", at_risk]}


def _if_quiet(as_of: datetime, days: int, then: str, otherwise: Expression) -> Expression:
    return {"$cond": [{"$lte": [SINCE, as_of - timedelta(days=days)]}, then, otherwise]}


def _told(rules: StaleDealRules, batch: str) -> Expression:
    reached = "$silence.reached"
    is_new = {"$ne": [reached, {"$ifNull": ["$silence.level", None]}]}
    entry = {"level": reached, "since": SINCE, "batch": batch}
    more = {"$concatArrays": [{"$ifNull": ["$silence.unannounced", []]}, [entry]]}
    tagged = {"$concatArrays": [_tags(), {"$setDifference": [[TAG], _tags()]}]}
    is_at_risk = {"$and": [is_new, {"$eq": [reached, "at_risk"]}]}
    return {
        "silence.reached": "$$REMOVE",
        "silence.level": {"$ifNull": [reached, "$$REMOVE"]},
        "silence.since": {"$cond": [{"$gt": [reached, None]}, SINCE, "$$REMOVE"]},
        "silence.unannounced": {"$cond": [is_new, more, _kept("$silence.unannounced")]},
        "silence.due_at": _due_at(reached, rules),
        "silence.stale_days": rules.stale_days,
        "silence.at_risk_days": rules.at_risk_days,
        "tags": {"$cond": [is_at_risk, tagged, _kept("$tags")]},
    }


def _due_at(reached: str, rules: StaleDealRules) -> Expression:
    later = {"$cond": [{"$eq": [reached, "stale"]}, _after(rules.at_risk_days), NEVER]}
    return {"$cond": [{"$eq": [reached, None]}, _after(rules.stale_days), later]}


def _after(days: int) -> Expression:
    return {"$add": [SINCE, days * DAY_MS]}


def _tags() -> Expression:
    return {"$ifNull": ["$tags", []]}


def _kept(field: str) -> Expression:
    return {"$ifNull": [field, "$$REMOVE"]}
