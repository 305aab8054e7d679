"""The intent of a contact: signals of interest, which accumulate by kind, fade, and add up to its score.

Signals and score stand in the contact itself and change by one update, so the score equals the sum of the
signals at any time. Whoever changes them raises `version`, and changes them only at the version it has read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from bson import ObjectId
from mongoengine import (
    DateTimeField,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    IntField,
    ListField,
    MapField,
    ObjectIdField,
    StringField,
)
from mongoengine import EmbeddedDocumentField as Embedded

from schemas.rules import IntentPoints, IntentRules

Kind = Literal["page_view", "email_open", "link_click", "form_submission", "demo_request"]
Level = Literal["low", "medium", "high"]
Signal = dict[str, Any]  # as an IntentSignal is stored

KINDS = tuple(IntentPoints.model_fields)
DAY = timedelta(days=1)
DECAY_HOUR = 2  # UTC, of the cron table
TICK = timedelta(milliseconds=1)  # the store's precision
COUNTS_FOR = timedelta(days=365)  # an event that was accepted earlier is not counted any more
SOURCES = 32  # latest events that a contact remembers; the earlier ones are noted as `IntentSource`


class IntentSignal(EmbeddedDocument):
    """All events of one kind together."""

    points = IntField(required=True)
    since = DateTimeField(required=True)  # of the first event
    decayed_at = DateTimeField()  # up to when its decay is accounted for; absent: it never decayed

    meta = {"strict": False}


class IntentCrossing(EmbeddedDocument):
    """Another level was reached, and the event that says so is yet to be published."""

    level = StringField(required=True)
    previous_level = StringField(required=True)
    score = IntField(required=True)
    occasion = StringField(required=True)
    batch = StringField(required=True)  # whose turn it is to publish it

    meta = {"strict": False}


class Intent(EmbeddedDocument):
    version = IntField()  # grows by one with each change
    signals = MapField(Embedded(IntentSignal))  # by kind
    due_at = DateTimeField()  # when the first of them decays next; absent without a signal
    sources = ListField(ObjectIdField())  # the latest counted events
    sources_to = ObjectIdField()  # no event of a greater id is noted as `IntentSource`
    unannounced = EmbeddedDocumentListField(IntentCrossing)

    meta = {"strict": False}


@dataclass(frozen=True)
class Source:
    """An event that shows interest."""

    event_id: ObjectId
    kind: Kind
    at: datetime


def level_of(score: int, rules: IntentRules) -> Level:
    if score >= rules.high:
        return "high"
    return "medium" if score >= rules.medium else "low"


def due_at(signal: Signal) -> datetime:
    """When it decays next: once it is older than a day, then with each further day."""
    decayed_at: datetime | None = signal.get("decayed_at")
    return decayed_at + DAY if decayed_at else signal["since"] + DAY + TICK


def decayed(signal: Signal, as_of: datetime, rules: IntentRules) -> Signal | None:
    """The signal at a later moment, each whole day accounted for; None when it is removed.

    However often this is done in between, the result is the same.
    """
    if as_of < due_at(signal):
        return signal
    last: datetime = signal.get("decayed_at") or signal["since"]
    days = (as_of - last) // DAY
    points = max(0, signal["points"] - rules.decay_per_day * days)
    if points < rules.remove_below:
        return None
    return {"points": points, "since": signal["since"], "decayed_at": last + days * DAY}


def last_decay(moment: datetime) -> datetime:
    """The latest moment up to then at which a day's decay is due."""
    today = moment.astimezone(UTC).replace(hour=DECAY_HOUR, minute=0, second=0, microsecond=0)
    return today if today <= moment else today - DAY


def added(signals: Mapping[str, Signal], sources: Iterable[Source], rules: IntentRules) -> dict[str, Signal]:
    """The signals once these events are counted, each at its time: what fades on a day before had faded then.

    So it does not matter when one learns of an event, nor whether a day's decay was missed. An event from
    before a signal's first one adds what would be left of it by then.
    """
    result = dict(signals)
    for source in sorted(sources, key=lambda each: each.at):
        points = int(getattr(rules.points, source.kind))
        fresh: Signal | None = {"points": points, "since": source.at}
        known = result.get(source.kind)
        if known and source.at < known["since"]:
            fresh = decayed({"points": points, "since": source.at}, last_decay(known["since"]), rules)
        elif known:
            known = decayed(known, last_decay(source.at), rules)
        if merged := _merged(known, fresh):
            result[source.kind] = merged
    return result


def _merged(known: Signal | None, fresh: Signal | None) -> Signal | None:
    if not fresh or not fresh["points"]:
        return known
    return {**known, "points": known["points"] + fresh["points"]} if known else fresh


def total(signals: Mapping[str, Signal]) -> int:
    return sum(signal["points"] for signal in signals.values())


def crossing(before: int, after: int, rules: IntentRules, occasion: str) -> list[dict[str, Any]]:
    """What there is to announce: one entry when the level is another one, else none."""
    previous, level = level_of(before, rules), level_of(after, rules)
    if level == previous:
        return []
    told = {"level": level, "previous_level": previous, "score": after}
    return [{**told, "occasion": occasion, "batch": occasion}]


def too_late(sources: Sequence[Source], now: datetime) -> set[ObjectId]:
    """Those accepted so long ago that nobody knows any more whether they are counted."""
    return {each.event_id for each in sources if each.event_id.generation_time < now - COUNTS_FOR}
