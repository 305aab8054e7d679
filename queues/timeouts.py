"""A job's time limit on a thread: when it is over, the exception is raised inside the job's thread.

One watchdog thread serves all jobs of the process. The jobs' threads take no lock of it: an exception that
arrives while a thread holds a lock would leave it locked for ever.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

from rq.timeouts import BaseDeathPenalty, BaseTimeoutException

import config

LOOK = 0.2  # seconds between two looks at the deadlines


class JobStopped(BaseTimeoutException):
    """Raised in a job's thread when somebody asked to stop it."""


class ThreadDeathPenalty(BaseDeathPenalty):
    """Guards one block of code on the thread that enters it; RQ enters it around the job's function.

    It never raises after the block was left. A thread that sits in a C call gets the exception when it
    returns to Python; when it does not within the setting STUCK_AFTER, the watchdog's `when_stuck` is called.
    """

    def __init__(self, timeout: float, exception: type[Exception], job_id: str = "", **kwargs: Any):
        super().__init__(timeout, exception, **kwargs)
        self.job_id = job_id
        self.thread_id = threading.get_ident()
        self.deadline = time.monotonic() + timeout if timeout > 0 else float("inf")
        self.was_raised = self.is_raising = self.has_left = False

    def setup_death_penalty(self) -> None:
        WATCHDOG.watch(self)

    def __exit__(self, *_: object) -> Literal[False]:
        self.cancel_death_penalty()
        return False

    def cancel_death_penalty(self) -> None:
        """Leave the block. What arrives while we do came too late, and is taken back or dropped."""
        while True:
            try:
                self.has_left = True
                while self.is_raising:
                    time.sleep(0)  # microseconds: lets the watchdog come to its end
                if self.was_raised:
                    _raise_in(self.thread_id, None)
                WATCHDOG.forget(self)
                return
            except (
                BaseTimeoutException
            ):  # the late exception itself: once more, since it may have cut us short
                continue

    def handle_death_penalty(self, *_: Any) -> None:
        self.interrupt(_with_message(self._exception, self._timeout))

    def interrupt(self, exception: type[Exception]) -> None:
        """Raise in the thread, unless it has left. Called on other threads than its own."""
        # Before the look at has_left: so the leaving thread waits for us, or we see that it has left.
        self.is_raising = True
        try:
            if not self.has_left:
                self.was_raised = True
                self.deadline = time.monotonic() + config.settings().stuck_after
                _raise_in(self.thread_id, exception)
        finally:
            self.is_raising = False


class Watchdog:
    """Raises in each watched thread when its deadline has passed, and reports those that do not react."""

    def __init__(self) -> None:
        self.when_stuck: Callable[[str], None] = lambda _job_id: None
        self._watched: set[ThreadDeathPenalty] = set()  # changed by single atomic operations only
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start its thread; the worker does before its first job. Safe to repeat."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()

    def watch(self, penalty: ThreadDeathPenalty) -> None:
        self._watched.add(penalty)

    def forget(self, penalty: ThreadDeathPenalty) -> None:
        self._watched.discard(penalty)

    def forget_thread(self) -> None:
        """The calling thread has ended its job, whatever became of the block's own exit."""
        mine = threading.get_ident()
        for penalty in [penalty for penalty in list(self._watched) if penalty.thread_id == mine]:
            penalty.cancel_death_penalty()

    def stop(self, job_id: str) -> bool:
        """Raise `JobStopped` in the thread of a running job; False when this process does not run it."""
        found = [penalty for penalty in list(self._watched) if penalty.job_id == job_id]
        for penalty in found:
            penalty.interrupt(JobStopped)
        return bool(found)

    def _run(self) -> None:
        while True:
            time.sleep(LOOK)
            for penalty in [p for p in list(self._watched) if p.deadline <= time.monotonic()]:
                if penalty.was_raised:
                    self.forget(penalty)
                    self.when_stuck(penalty.job_id)
                else:
                    penalty.handle_death_penalty()


WATCHDOG = Watchdog()


def _raise_in(thread_id: int, exception: type[Exception] | None) -> None:
    """Raise in another thread as soon as it runs Python again; None takes it back."""
    raised = ctypes.py_object(exception) if exception else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)


def _with_message(exception: type[Exception], timeout: float) -> type[Exception]:
    """Only a class can be raised in another thread, so the message is the class' own."""
    message = f"the job ran longer than its limit of {timeout:g} s"
    return type(exception.__name__, (exception,), {"__str__": lambda _self: message})
