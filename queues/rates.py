"""How many jobs of a queue may be started in a second: the settings, then the table of queues."""

from __future__ import annotations

from functools import cache

import config
from queues.names import QUEUES, UnknownQueue, options


def per_second(queue: str) -> float:
    """0 = no limit. QUEUE_RATES goes before the queue's own rate, and that before the one for all queues."""
    settings = config.settings()
    own = _parsed(settings.queue_rates).get(queue, QUEUES[queue].max_per_second)
    return settings.queue_max_jobs_per_second if own is None else own


def check() -> None:
    """Raise `InvalidSettings` naming a queue in QUEUE_RATES that does not exist."""
    for queue in _parsed(config.settings().queue_rates):
        try:
            options(queue)
        except UnknownQueue as unknown:
            raise config.InvalidSettings(f"QUEUE_RATES: {unknown}") from None


_parsed = cache(config.rates)
