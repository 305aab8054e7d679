"""Positions: where an event stands among those of its record."""

from __future__ import annotations

import threading
import time

_lock = threading.Lock()
_last = 0


def next_ones(count: int) -> range:
    """As many positions in order, each greater than all that this process gave before.

    They are the clock in microseconds, or one more than the last where that is more. Between machines they
    are as good as their clocks, which NTP keeps within milliseconds; and they cost nothing.
    """
    global _last
    with _lock:
        first = max(_last + 1, time.time_ns() // 1_000)
        _last = first + count - 1
        return range(first, first + count)
