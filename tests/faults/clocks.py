"""A clock that can be set, for one process: SIGUSR1 sets it an hour ahead, SIGUSR2 an hour back.

The time of day only; what a program measures with the monotonic clock goes on, as on a machine whose clock is
set. Redis keeps its own clock.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import time_machine

HOUR = timedelta(hours=1)
AHEAD, BACK = signal.SIGUSR1, signal.SIGUSR2


def install(ahead: timedelta) -> None:
    """From now on this process' clock is ahead by that, and obeys the signals."""
    clock = time_machine.travel(datetime.now(UTC) + ahead, tick=True).start()
    for number, step in ((AHEAD, HOUR), (BACK, -HOUR)):
        signal.signal(number, lambda *_, step=step: clock.shift(step))
