"""Leave when the interpreter hangs: a C call that does not let go of it stops heartbeats and time limits.

A catastrophic regular expression is enough. Nothing written in Python can run then, so a timer in C is set
again and again; when nobody does, it writes all tracebacks to stderr and ends the process. The jobs come back
when their locks lapse; the one that hangs a second process is quarantined.
"""

from __future__ import annotations

import faulthandler
import threading
import time

SETS_PER_LIMIT = 4  # how often the timer is set within the time that it allows


def guard(seconds: float) -> None:
    """From now on this process ends, with code 1, when no Python has run for that long."""
    threading.Thread(target=_keep_setting, args=(seconds,), name="hangs", daemon=True).start()


def _keep_setting(seconds: float) -> None:
    while True:
        faulthandler.dump_traceback_later(seconds, exit=True)
        time.sleep(seconds / SETS_PER_LIMIT)
