"""What was looked up a moment ago: who is asked often need not look again each time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Remembers what a look-up of several keys found, for so many seconds, of so many keys at most.

    What it did not find is looked up again each time. For any number of threads; each process has its own.
    """

    def __init__(
        self,
        look_up: Callable[[set[Key]], dict[Key, Value]],
        *,
        seconds: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up, self._seconds, self._most, self._clock = look_up, seconds, most, clock
        self._kept: dict[Key, tuple[float, Value]] = {}  # until when

    def __call__(self, keys: set[Key]) -> dict[Key, Value]:
        """Those that exist. One look-up at most."""
        now = self._clock()
        kept = {key: self._kept.get(key) for key in keys}
        known = {key: entry[1] for key, entry in kept.items() if entry and entry[0] > now}
        missing = keys - known.keys()
        return known | self._look(missing, now) if missing else known

    def _look(self, keys: set[Key], now: float) -> dict[Key, Value]:
        found = self._look_up(keys)
        if len(self._kept) + len(found) > self._most:
            self._kept = {}
        self._kept.update({key: (now + self._seconds, value) for key, value in found.items()})
        return found

    def forget(self) -> None:
        self._kept = {}
