"""A job's time limit on a thread: when it is over, the exception is raised inside the job's thread.

One watchdog thread serves all jobs of the process: a timer for each job would start a thread for each.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from rq.timeouts import BaseDeathPenalty

import config


class JobStopped(Exception):
    """Raised in a job's thread when somebody asked to stop it."""


class ThreadDeathPenalty(BaseDeathPenalty):
    """Guards one block of code on the thread that enters it; RQ enters it around the job's function.

    It never raises after the block was left. A thread that sits in a C call gets the exception when it
    returns to Python; when it does not within the setting STUCK_AFTER, the process' `when_stuck` is called.
    """

    def __init__(self, timeout: float, exception: type[Exception], job_id: str = "", **kwargs: Any):
        super().__init__(timeout, exception, **kwargs)
        self.job_id = job_id
        self.thread_id = threading.get_ident()
        self.deadline = time.monotonic() + timeout if timeout > 0 else float("inf")
        self.was_raised = False

    def setup_death_penalty(self) -> None:
        watchdog().watch(self)

    def cancel_death_penalty(self) -> None:
        watchdog().forget(self)

    def handle_death_penalty(self, *_: Any) -> None:
        self.interrupt(_with_message(self._exception, self._timeout))

    def interrupt(self, exception: type[Exception]) -> None:
        self.was_raised = True
        self.deadline = time.monotonic() + config.settings().stuck_after
        _raise_in(self.thread_id, exception)


class Watchdog:
    """Raises in each watched thread when its deadline has passed, and reports those that do not react."""

    def __init__(self) -> None:
        self.when_stuck: Callable[[str], None] = lambda _job_id: None
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
            self._watched.discard(penalty)
            if penalty.was_raised:
                _raise_in(penalty.thread_id, None)  # takes it back if it was not delivered yet

    def stop(self, job_id: str) -> bool:
        """Raise `JobStopped` in the thread of a running job; False when this process does not run it."""
        with self._change:
            found = [penalty for penalty in self._watched if penalty.job_id == job_id]
            for penalty in found:
                penalty.interrupt(JobStopped)
            self._change.notify()
            return bool(found)

    def _run(self) -> None:
        while True:
            with self._change:
                self._wakes_at = min((p.deadline for p in self._watched), default=float("inf"))
                remaining = self._wakes_at - time.monotonic()
                self._change.wait(min(remaining, threading.TIMEOUT_MAX) if remaining > 0 else 0)
                due = [p for p in self._watched if p.deadline <= time.monotonic()]
                stuck = [penalty for penalty in due if penalty.was_raised]
                self._watched.difference_update(stuck)
                for penalty in set(due).difference(stuck):
                    penalty.handle_death_penalty()
            for penalty in stuck:  # without the lock: it may take its time
                self.when_stuck(penalty.job_id)


@cache
def watchdog() -> Watchdog:
    """The process' watchdog."""
    return Watchdog()


def _raise_in(thread_id: int, exception: type[Exception] | None) -> None:
    """Raise in another thread as soon as it runs Python again; None takes it back."""
    raised = ctypes.py_object(exception) if exception else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)


def _with_message(exception: type[Exception], timeout: float) -> type[Exception]:
    """Only a class can be raised in another thread, so the message is the class' own."""
    message = f"the job ran longer than its limit of {timeout:g} s"
    return type(exception.__name__, (exception,), {"__str__": lambda _self: message})
