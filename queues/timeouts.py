"""A job's time limit on a thread: when it is over, the exception is raised inside the job's thread."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

from rq.timeouts import BaseDeathPenalty


class ThreadDeathPenalty(BaseDeathPenalty):
    """As RQ's own for threads, but it never raises after the job has left the guarded block.

    A thread that sits in a C call gets the exception when it returns to Python.
    """

    def __init__(self, timeout: float, exception: type[Exception], **kwargs: Any):
        super().__init__(timeout, _with_message(exception, timeout), **kwargs)
        self._thread_id = threading.get_ident()
        self._lock = threading.Lock()
        self._is_over = False
        self._timer: threading.Timer | None = None

    def setup_death_penalty(self) -> None:
        if self._timeout > 0:
            self._timer = threading.Timer(self._timeout, self.handle_death_penalty)
            self._timer.daemon = True
            self._timer.start()

    def cancel_death_penalty(self) -> None:
        if self._timer is None:
            return
        with self._lock:
            self._is_over = True
            _raise_in(self._thread_id, None)  # takes back one that was raised but not delivered yet
        self._timer.cancel()

    def handle_death_penalty(self, *_: Any) -> None:
        with self._lock:
            if not self._is_over:
                _raise_in(self._thread_id, self._exception)


def _raise_in(thread_id: int, exception: type[Exception] | None) -> None:
    """Raise in another thread as soon as it runs Python again; None takes it back."""
    raised = ctypes.py_object(exception) if exception else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)


def _with_message(exception: type[Exception], timeout: float) -> type[Exception]:
    """Only a class can be raised in another thread, so the message is the class' own."""
    message = f"the job ran longer than its limit of {timeout:g} s"
    return type(exception.__name__, (exception,), {"__str__": lambda _self: message})
