"""Threads that take turns at each command to the store and to Redis, in an order drawn from a seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pymongo.collection import Collection

import queues.enqueue
from tests.killing import Killed

COMMANDS = ("insert_many", "update_one", "update_many", "bulk_write", "find", "find_one")
PATIENCE = 60.0  # seconds; nobody waits so long unless something hangs


class Baton:
    """Only who holds it runs; whoever is about to send a command gives it back, to be drawn again.

    `deadly`: the share of commands before which, or after which, the worker dies.
    """

    def __init__(self, patch: pytest.MonkeyPatch, chance: random.Random, deadly: float = 0.0) -> None:
        self._chance, self._deadly = chance, deadly
        self._turn: dict[int, threading.Event] = {}
        self._back = threading.Event()
        for name in COMMANDS:
            patch.setattr(Collection, name, self._paused(getattr(Collection, name)))
        patch.setattr(queues.enqueue, "_send", self._paused(queues.enqueue._send))

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Run them all to their end. Raises what they raise."""
        problems: list[BaseException] = []

        def one(work: Callable[[], None]) -> None:
            try:
                self.pause()
                work()
            except BaseException as error:  # noqa: BLE001 - raised below, on the thread of the test
                problems.append(error)
            finally:
                del self._turn[threading.get_ident()]
                self._back.set()

        threads = []
        for work in works:
            self._back.clear()
            threads.append(threading.Thread(target=one, args=[work], daemon=True))
            threads[-1].start()
            assert self._back.wait(PATIENCE)
        while self._turn:
            self._back.clear()
            self._turn[self._chance.choice(list(self._turn))].set()
            assert self._back.wait(PATIENCE)
        if problems:
            raise problems[0]

    def pause(self) -> None:
        """Let another one run, or go on at once on a thread that does not take part."""
        me = threading.get_ident()
        if me not in self._turn:
            if threading.current_thread() is threading.main_thread():
                return
            self._turn[me] = threading.Event()
        self._turn[me].clear()
        self._back.set()
        assert self._turn[me].wait(PATIENCE)

    def _paused(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.pause()
            is_last = threading.get_ident() in self._turn and self._chance.random() < self._deadly
            if is_last and self._chance.random() < 0.5:
                raise Killed
            result = real(*args, **kwargs)
            if is_last:
                raise Killed
            return result

        return call
