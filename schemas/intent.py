"""Events of the intent score."""

from __future__ import annotations

from typing import Literal

from schemas.event import Event, Id, Occasion, register

Level = Literal["low", "medium", "high"]


@register
class IntentThresholdCrossed(Event):
    """The intent score of a contact reached another level: up to medium or high, or down again."""

    type = "intent.threshold_crossed"
    unique_by = ("contact_id", "level", "occasion")
    about = ("contact_id",)

    contact_id: Id
    level: Level
    previous_level: Level
    score: int
    occasion: Occasion
