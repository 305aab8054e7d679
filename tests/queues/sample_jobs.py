"""Jobs for the engine's tests, run by real workers in processes of their own."""

from __future__ import annotations

import os
import signal
import threading

from queues import progress
from queues.connection import redis

LEDGER = "test:ledger"  # list: what the jobs did


class Hopeless(Exception):
    permanent = True


def note(what: str) -> str:
    redis().rpush(LEDGER, what)
    return what


def fail(what: str = "fail") -> None:
    note(what)
    raise RuntimeError("as asked")


def fail_for_good() -> None:
    note("fail_for_good")
    raise Hopeless("never again")


def wait_for_go(what: str) -> None:
    """Note the start, then block until somebody pushes to `test:go`."""
    note(f"{what} started")
    redis().blpop(["test:go"], timeout=30)
    note(f"{what} ended")


def spin(what: str) -> None:
    """Run Python code until the time limit's exception arrives."""
    note(f"{what} started")
    pause = threading.Event()
    while True:
        pause.wait(0.01)


def kill_own_worker() -> None:
    note("killed")
    os.kill(os.getpid(), signal.SIGKILL)


def noop(payload: str) -> None:
    """What benchmarks run."""


def note_and_wait_for_file(what: str, path: str) -> None:
    """Note the start, then block until the file is there, whatever becomes of Redis."""
    note(what)
    pause = threading.Event()
    while not os.path.exists(path):  # noqa: PTH110 - nothing but a look
        pause.wait(0.01)


def block_in_c(what: str) -> None:
    """Sit in one C call for a minute, where no exception can reach the thread."""
    note(f"{what} started")
    lock = threading.Lock()
    lock.acquire()
    lock.acquire(timeout=60)


def note_pid() -> None:
    note(str(os.getpid()))


def fail_until(key: str, what: str) -> str:
    """Fail for good until somebody sets that key."""
    note(what)
    if not redis().exists(key):
        raise Hopeless(f"{key} is not set")
    return what


def report_progress(times: int, what: str) -> None:
    """Report as often as that, as fast as it goes."""
    for n in range(1, times + 1):
        progress.report(n, times, f"{what} {n}")


def report_and_wait(what: str) -> None:
    progress.report(1, 2, "half")
    wait_for_go(what)


class SlowDown(Exception):
    retry_after = "Wed, 21 Oct 2026 07:28:00 GMT"


def fail_with_odd_retry_after() -> None:
    raise SlowDown("as vendors say it")


class ComeBackLater(Exception):
    retry_after = 20.0


def fail_until_later() -> None:
    raise ComeBackLater("as a vendor says it with its 429")


def grow(megabytes: int) -> None:
    """Take that much memory for a moment, and note by which process."""
    bytearray(b"x" * megabytes * 1_048_576)
    note_pid()
