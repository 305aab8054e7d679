"""A job's time limit on a thread: when it is over, the exception is raised inside the job's thread.

One watchdog thread serves all jobs of the process: a timer for each job would start a thread for each.
"""

from __future__ import annotations

import ctypes
import threading
import time
from functools import cache
from typing import Any

from rq.timeouts import BaseDeathPenalty


class ThreadDeathPenalty(BaseDeathPenalty):
    """Guards one block of code on the thread that enters it; RQ enters it around the job's function.

    It never raises after the block was left. A thread that sits in a C call gets the exception when it
    returns to Python.
    """

    def __init__(self, timeout: float, exception: type[Exception], **kwargs: Any):
        super().__init__(timeout, exception, **kwargs)
        self.thread_id = threading.get_ident()
        self.deadline = time.monotonic() + timeout if timeout > 0 else float("inf")

    def setup_death_penalty(self) -> None:
        _watchdog().watch(self)

    def cancel_death_penalty(self) -> None:
        _watchdog().forget(self)

    def handle_death_penalty(self, *_: Any) -> None:
        _raise_in(self.thread_id, _with_message(self._exception, self._timeout))


class Watchdog:
    """Raises in each watched thread when its deadline has passed."""

    def __init__(self) -> None:
        self._watched: set[ThreadDeathPenalty] = set()
        self._change = threading.Condition()
        self._wakes_at = float("inf")
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def watch(self, penalty: ThreadDeathPenalty) -> None:
        with self._change:
            self._watched.add(penalty)
            if penalty.deadline < self._wakes_at:
                self._change.notify()

    def forget(self, penalty: ThreadDeathPenalty) -> None:
        with self._change:
            if penalty in self._watched:
                self._watched.discard(penalty)
            else:  # raised already: take it back if it was not delivered yet
                _raise_in(penalty.thread_id, None)

    def _run(self) -> None:
        with self._change:
            while True:
                self._wakes_at = min((p.deadline for p in self._watched), default=float("inf"))
                remaining = self._wakes_at - time.monotonic()
                self._change.wait(min(remaining, threading.TIMEOUT_MAX) if remaining > 0 else 0)
                for penalty in [p for p in self._watched if p.deadline <= time.monotonic()]:
                    self._watched.discard(penalty)
                    penalty.handle_death_penalty()


@cache
def _watchdog() -> Watchdog:
    return Watchdog()


def _raise_in(thread_id: int, exception: type[Exception] | None) -> None:
    """Raise in another thread as soon as it runs Python again; None takes it back."""
    raised = ctypes.py_object(exception) if exception else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)


def _with_message(exception: type[Exception], timeout: float) -> type[Exception]:
    """Only a class can be raised in another thread, so the message is the class' own."""
    message = f"the job ran longer than its limit of {timeout:g} s"
    return type(exception.__name__, (exception,), {"__str__": lambda _self: message})
