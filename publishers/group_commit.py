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
    results: Sequence[Result] = ()
    error: BaseException | None = None
    is_done: bool = field(default=False)


class GroupCommit(Generic[Item, Result]):
    """Makes calls of `commit` (items -> as many results) that come while one runs as a single one.

    A lone call is made at once. When a common one fails each is made alone, so that nobody fails by the items
    of another; unless the error concerns all of them, as when the store is away. Not for threads that may be
    interrupted, like those of jobs with a time limit.
    """

    def __init__(
        self, commit: Callable[[Sequence[Item]], Sequence[Result]], concerns_all: type[Exception]
    ) -> None:
        self._commit, self._concerns_all = commit, concerns_all
        self._turn = threading.Lock()  # held by who commits
        self._waiting: list[_Call[Item, Result]] = []
        self._changing = threading.Lock()  # guards `_waiting`

    def __call__(self, items: Sequence[Item]) -> Sequence[Result]:
        mine: _Call[Item, Result] = _Call(items)
        with self._changing:
            self._waiting.append(mine)
        with self._turn:
            if not mine.is_done:  # nobody took it along
                self._run(self._take())
        if mine.error:
            raise mine.error
        return mine.results

    def _take(self) -> list[_Call[Item, Result]]:
        with self._changing:
            taken, self._waiting = self._waiting, []
        return taken

    def _run(self, calls: Sequence[_Call[Item, Result]]) -> None:
        try:
            results = self._commit([item for call in calls for item in call.items])
        except BaseException as error:  # noqa: BLE001 - each thread raises its own
            if len(calls) > 1 and isinstance(error, Exception) and not isinstance(error, self._concerns_all):
                for call in calls:
                    self._run([call])
                return
            for call in calls:
                call.error, call.is_done = error, True
            return
        start = 0
        for call in calls:
            call.results, call.is_done = results[start : start + len(call.items)], True
            start += len(call.items)
