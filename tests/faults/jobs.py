"""Jobs that worker processes run while faults happen to them."""

from __future__ import annotations

import ctypes
import os
import re
import threading
import time
from pathlib import Path

from tests.faults.ledger import VARIABLE, note


class Hopeless(Exception):
    permanent = True


def work(job_id: str, seconds: float = 0.0) -> str:
    note(job_id, "start")
    if seconds:
        time.sleep(seconds)
    note(job_id, "end")
    return job_id


def stumble(job_id: str) -> None:
    """Fail the first time."""
    note(job_id, "start")
    mark = Path(f"{os.environ[VARIABLE]}-{job_id}")
    if not mark.exists():
        mark.touch()
        note(job_id, "failed")
        raise RuntimeError("as asked")
    note(job_id, "end")


def fail(job_id: str) -> None:
    note(job_id, "start")
    note(job_id, "failed")
    raise Hopeless("never again")


def wait_for_file(job_id: str, path: str) -> None:
    note(job_id, "start")
    pause = threading.Event()
    while not Path(path).exists():
        pause.wait(0.01)
    note(job_id, "end")


def leave(job_id: str) -> None:
    """End the process from within, past all that would tidy up."""
    note(job_id, "start")
    os._exit(3)


def eat_memory(job_id: str) -> None:
    """Take all that the process may have, and leave the others without for a while."""
    note(job_id, "start")
    eaten = []
    try:
        while True:
            eaten.append(bytearray(1_048_576))
    except MemoryError:
        time.sleep(0.2)
        raise


def hold_the_interpreter(job_id: str) -> None:
    """Sit in one C call that lets no other thread run: backtracking takes 2^40 steps."""
    note(job_id, "start")
    re.match(r"(a+)+$", "a" * 40 + "b")
    note(job_id, "end")


def sleep_with_the_interpreter(job_id: str) -> None:
    """As `hold_the_interpreter`, in a call that waits and computes nothing."""
    note(job_id, "start")
    ctypes.PyDLL(None).sleep(600)
    note(job_id, "end")
