"""Group commit: what several threads store at the same moment is stored by one of them, by one command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Call(Generic[Item, Result]):
    """What one thread wants stored, and what came of it."""

    items: Sequence[Item]
    go_on: threading.Event = field(default_factory=threading.Event)  # it is over, or this thread's to commit
    results: Sequence[Result] | None = None
    error: Exception | None = None

    @property
    def is_over(self) -> bool:
        return self.results is not None or self.error is not None

    def end(self, results: Sequence[Result] | None, error: Exception | None) -> None:
        self.results, self.error = results, error
        self.go_on.set()


class GroupCommit(Generic[Item, Result]):
    """Makes calls of `commit` (items -> as many results) that come while one runs as a single one.

    A lone call is made at once. When a common one fails each is made alone, so that nobody fails by the items
    of another; unless the error concerns all of them, as when the store is away. Who is interrupted while it
    commits for others, as when its server ends its request, leaves them to the next. So `commit` must be safe
    to repeat, and it must end: all wait for it.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], Sequence[Result]], concerns_all: Callable[[Exception], bool]
    ) -> None:
        self._commit, self._concerns_all = commit, concerns_all
        self._changing = threading.Lock()  # guards what follows
        self._waiting: list[_Call[Item, Result]] = []
        self._leader: _Call[Item, Result] | None = None  # whose thread commits; None: nobody waits

    def __call__(self, items: Sequence[Item]) -> Sequence[Result]:
        mine: _Call[Item, Result] = _Call(items)
        try:
            self._enter(mine)
            mine.go_on.wait()
            if not mine.is_over:
                self._lead(mine)
            if mine.results is None:
                raise mine.error or RuntimeError("nobody has committed it")
            return mine.results
        finally:
            self._leave(mine)
            del mine  # the error's traceback would hold it, and it the error

    def _enter(self, mine: _Call[Item, Result]) -> None:
        with self._changing:
            self._waiting.append(mine)
            if self._leader is None:
                self._appoint()

    def _leave(self, mine: _Call[Item, Result]) -> None:
        with self._changing:
            if mine in self._waiting:  # interrupted
                self._waiting.remove(mine)
            if self._leader is mine:
                self._appoint()

    def _appoint(self) -> None:
        self._leader = self._waiting[0] if self._waiting else None
        if self._leader:
            self._leader.go_on.set()

    def _lead(self, mine: _Call[Item, Result]) -> None:
        with self._changing:
            calls, self._waiting = self._waiting, []
        try:
            self._run(calls)
        finally:
            with self._changing:
                self._waiting[:0] = [call for call in calls if not call.is_over and call is not mine]

    def _run(self, calls: Sequence[_Call[Item, Result]]) -> None:
        error = self._try(calls)
        if error is None:
            return
        for call in calls:
            if len(calls) > 1 and not (error and self._concerns_all(error)):
                error = self._try([call])
            if error:
                call.end(None, error)

    def _try(self, calls: Sequence[_Call[Item, Result]]) -> Exception | None:
        try:
            results = self._commit([item for call in calls for item in call.items])
        except Exception as error:  # noqa: BLE001 - each thread raises its own
            return error
        start = 0
        for call in calls:
            call.end(results[start : start + len(call.items)], None)
            start += len(call.items)
        return None
