"""Leave when the interpreter hangs: a C call that does not let go of it stops heartbeats and time limits.

A catastrophic regular expression is enough. Nothing written in Python can run then, so two timers in C are
set again and again while jobs run. When nobody does, they write all tracebacks to stderr and end the process.
The jobs come back when their locks lapse; the one that hangs a second process is quarantined.

A process that was stopped, as by Ctrl-Z, or by a pause of its container, is no hang, and goes on afterwards.
So the first timer counts the time that the process computes. A call that hangs without computing is left to
the second one: it counts all time, and allows twice as much, by default as long as a lock lasts: then others
run its jobs anyway. Both are off while nothing runs.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

SETS_PER_LIMIT = 4  # how often the timers are set within the time that they allow
SHORTEST = 0.1  # seconds between two of these
STILL = 2  # times the limit that a process may stand still


class Guard:
    """Ends this process when jobs run and no Python has for that many seconds.

    It dies of SIGPROF after that time of computing, or leaves with code 1 after twice that time.
    """

    def __init__(self, seconds: float, is_idle: Callable[[], bool]):
        self._is_idle = is_idle
        cores = os.cpu_count() or 1  # so many seconds of computing may fit into one
        self._pause = max(SHORTEST, seconds / SETS_PER_LIMIT / cores)
        self._computing = max(seconds, SETS_PER_LIMIT * self._pause * cores)
        self._still = seconds * STILL
        self._changing, self._is_on = threading.Lock(), False

    def start(self) -> None:
        """From then on this process obeys the guard. On the main thread."""
        faulthandler.register(signal.SIGPROF, all_threads=True, chain=True)  # then die of it
        threading.Thread(target=self._keep_setting, name="hangs", daemon=True).start()

    def jobs_begin(self) -> None:
        """To be called on any thread when jobs are about to run; the worker is not idle from then on."""
        with self._changing:
            if not self._is_on:
                self._set()

    def _keep_setting(self) -> None:
        while True:
            time.sleep(self._pause)
            with self._changing:
                if not self._is_idle():
                    self._set()
                elif self._is_on:
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    faulthandler.cancel_dump_traceback_later()
                    self._is_on = False

    def _set(self) -> None:
        self._is_on = False
        signal.setitimer(signal.ITIMER_PROF, self._computing)
        with suppress(RuntimeError, MemoryError):  # no room for its thread: the next round tries again
            faulthandler.dump_traceback_later(self._still, exit=True)
            self._is_on = True
