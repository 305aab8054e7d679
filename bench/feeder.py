"""Enqueue no-ops on demand: read a number, enqueue that many, answer with the seconds it took."""

from __future__ import annotations

import sys
import time

from bench.peers.ours import job
from queues.enqueue import enqueue_many

AT_ONCE = 5_000  # jobs that are held in memory


def main() -> None:
    for line in sys.stdin:
        print(feed(int(line)), flush=True)


def feed(number: int) -> float:
    started = time.perf_counter()
    for done in range(0, number, AT_ONCE):
        enqueue_many([job() for _ in range(min(AT_ONCE, number - done))])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
