"""What a second process gains on this machine: processors may be shared with other machines, or throttled."""

from __future__ import annotations

import subprocess
import sys

SECONDS = 0.5  # of work of each process
LOOP = f"""
import time
done, end = 0, time.perf_counter() + {SECONDS}
while time.perf_counter() < end:
    for number in range(1_000):
        pass
    done += 1
print(done)
"""


def gain() -> float:
    """Work of two processes that only count, beside that of one: 2 where nothing is shared."""
    return (_work(2) / _work(1) + _work(2) / _work(1)) / 2


def _work(processes: int) -> int:
    """Loops that they ran, all together."""
    command = [sys.executable, "-c", LOOP]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(int(process.communicate()[0]) for process in running)
