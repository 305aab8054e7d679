"""Leave when the interpreter hangs: a C call that does not let go of it stops heartbeats and time limits.

A catastrophic regular expression is enough. Nothing written in Python can run then, so a timer in C is set
again and again while jobs run; when nobody does, it writes all tracebacks to stderr and ends the process. The
jobs come back when their locks lapse; the one that hangs a second process is quarantined.

The timer cannot tell a hang from a process that was stopped, as by Ctrl-Z or with its whole machine. So it is
off while nothing runs: a worker that was stopped then goes on.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Callable
from contextlib import suppress

SETS_PER_LIMIT = 4  # how often the timer is set within the time that it allows


class Guard:
    """Ends this process, with code 1, when jobs run and no Python has for that many seconds."""

    def __init__(self, seconds: float, is_idle: Callable[[], bool]):
        self._seconds, self._is_idle = seconds, is_idle
        self._changing, self._is_on = threading.Lock(), False

    def start(self) -> None:
        threading.Thread(target=self._keep_setting, name="hangs", daemon=True).start()

    def jobs_begin(self) -> None:
        """To be called on any thread when jobs are about to run; the worker is not idle from then on."""
        with self._changing:
            if not self._is_on:
                self._set()

    def _keep_setting(self) -> None:
        while True:
            time.sleep(self._seconds / SETS_PER_LIMIT)
            with self._changing:
                if not self._is_idle():
                    self._set()
                elif self._is_on:
                    faulthandler.cancel_dump_traceback_later()
                    self._is_on = False

    def _set(self) -> None:
        self._is_on = False
        with suppress(RuntimeError, MemoryError):  # no room for its thread: the next round tries again
            faulthandler.dump_traceback_later(self._seconds, exit=True)
            self._is_on = True
