"""What the silence of deals tells, and what its end does to the tasks it brought about. Safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models import deal_silence
from models.deal import Deal
from models.silence import task_key
from models.task import Task
from publishers import deals, tasks
from publishers.events import batch

CLOSED_BY = "deal.active"


def told(alerted: Sequence[Deal]) -> int:
    """Publish the levels that deals reached, then forget them; returns how many."""
    with batch():
        for deal in alerted:
            for alert in deal.silence.unannounced:
                deals.stale(deal, alert.level, quiet_since=alert.since)
    deal_silence.announced(alerted)
    return sum(len(deal.silence.unannounced) for deal in alerted)


def ended(over: Sequence[Deal], at: datetime) -> int:
    """Complete the tasks of silences that are over, publish that, then forget them; returns how many tasks.

    Five store commands, whatever their number.
    """
    if not over:
        return 0
    closed = complete([task_key(deal.id, since) for deal in over for since in deal.silence.ended], at)
    deal_silence.forget_ended(over)
    return closed


def ended_of(about: Mapping[str, Any], at: datetime) -> int:
    """As `ended`, of the deals that this filter finds."""
    return ended(deal_silence.ended(about), at)


def complete(keys: Sequence[str], at: datetime) -> int:
    """Complete the tasks of these keys and publish that; returns how many are completed by now."""
    done = Task.complete_all(keys, at, CLOSED_BY)
    with batch():
        for task in done:
            tasks.completed(task, at=task.completed_at, deal_id=task.deal_id)
    return len(done)
