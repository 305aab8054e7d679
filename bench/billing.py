"""Count what a request-billed Redis bills, by asking the server itself.

Billed is each command: those inside a pipeline or MULTI, those inside a script, and the EVALSHA around them.
That is what `INFO commandstats` counts. Round trips are the reads of the server's sockets: a pipeline that
fits into 16 KB is one. What the meter itself sends is taken off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis


@dataclass(frozen=True)
class Bill:
    by_command: Counter[str]
    round_trips: int

    @property
    def commands(self) -> int:
        return self.by_command.total()

    def times(self, factor: float) -> dict[str, Any]:
        """As figures, extrapolated or divided."""
        return {
            "commands": round(self.commands * factor, 2),
            "round_trips": round(self.round_trips * factor, 2),
            "by_command": {name: round(n * factor, 2) for name, n in self.by_command.most_common()},
        }


class Meter:
    """Reads the server's counters over a connection of its own."""

    def __init__(self, url: str):
        self._redis = Redis.from_url(url, protocol=2, driver_info=None, single_connection_client=True)
        self._own: Counter[str] = Counter()
        self._own_trips = 0
        self._start = self._read()

    def start(self) -> None:
        self._start = self._read()

    def bill(self) -> Bill:
        """What others sent since the start."""
        commands, trips = self._read()
        return Bill(commands - self._start[0], trips - self._start[1])

    def ask(self, *command: Any, inside: Mapping[str, int] | None = None) -> Any:
        """Send a command that is not billed; `inside` are those that a script of ours sends in turn."""
        self._own_trips += 1
        self._own[str(command[0]).lower()] += 1
        self._own.update(inside or {})
        return self._redis.execute_command(*command)

    def own(self, commands: Mapping[str, int], trips: int = 0) -> None:
        """Take off more: what a script of ours did, as it turned out, or another connection."""
        self._own.update(commands)
        self._own_trips += trips

    def _read(self) -> tuple[Counter[str], int]:
        """Billed commands and round trips so far."""
        figures = self.ask("INFO", "all")
        counted: Counter[str] = Counter()
        for key, value in figures.items():
            if key.startswith("cmdstat_"):
                counted[key.removeprefix("cmdstat_").partition("|")[0]] += value["calls"]
        counted["info"] += 1  # this one counts itself only when it is done
        return counted - self._own, figures["total_reads_processed"] - self._own_trips
