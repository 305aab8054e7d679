"""Let a process die: around a function, or at each command to the store and each call that enqueues jobs.

A module that imports this must be imported before the first connection to the store, as pytest does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from queues import enqueue


class Killed(BaseException):
    """The process dies: nothing that it still meant to do happens, and nothing can catch it."""


def dying(patch: pytest.MonkeyPatch, owner: Any, name: str, nth: int = 1, *, is_after: bool) -> None:
    """Let the nth call of a function be the last thing, or the first thing not done."""
    real, calls = getattr(owner, name), []

    def die(*args: Any, **kwargs: Any) -> Any:
        calls.append(name)
        if len(calls) == nth and not is_after:
            raise Killed
        result = real(*args, **kwargs)
        if len(calls) == nth:
            raise Killed
        return result

    patch.setattr(owner, name, staticmethod(die) if _is_bound(owner, name) else die)


def _is_bound(owner: Any, name: str) -> bool:
    """Whether `getattr` already bound it: a class method, which must not be bound again."""
    return isinstance(owner, type) and isinstance(owner.__dict__.get(name), classmethod)


class _Reaper(CommandListener):
    """Counts down, and kills before a command is sent or after it was carried out."""

    steps: int | None = None

    def step(self) -> None:
        if self.steps is None:
            return
        if self.steps == 0:
            raise Killed
        self.steps -= 1

    def started(self, event: CommandStartedEvent) -> None:
        self.step()

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self.step()

    def failed(self, event: CommandFailedEvent) -> None:
        """The command tells of it itself."""


_reaper = _Reaper()
monitoring.register(_reaper)


def survives(work: Callable[[], Any], steps: int) -> bool:
    """Let it die at this step, if it comes that far; returns whether it did not."""
    send = enqueue._send

    def dying(arguments: Any) -> list[int]:
        _reaper.step()
        sent = send(arguments)
        _reaper.step()
        return sent

    _reaper.steps = steps
    try:
        with mock.patch.object(enqueue, "_send", dying):
            work()
    except Killed:
        return False
    finally:
        _reaper.steps = None
    return True


def everywhere(prepare: Callable[[], Any], work: Callable[[], Any], check: Callable[[], Any]) -> int:
    """Kill it at its first step, then at its second, and so on; each time it runs again and is checked.

    Returns the number of places where it died.
    """
    steps = 0
    while True:
        prepare()
        survived = survives(work, steps)
        work()
        check()
        if survived:
            return steps
        steps += 1
