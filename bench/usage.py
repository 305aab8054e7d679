"""What running programs use. Processor time is steadier than the clock on a machine that others use too."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

import psutil
from redis import Redis


def seconds(programs: Iterable[subprocess.Popen[bytes]]) -> float:
    """User and system time so far of the programs, their children, and the children that ended."""
    return sum(_seconds(psutil.Process(program.pid)) for program in programs)


def megabytes(programs: Iterable[subprocess.Popen[bytes]]) -> float:
    """Resident memory of the programs, without their children."""
    return float(sum(psutil.Process(program.pid).memory_info().rss for program in programs) / 1e6)


def of_redis(redis: Redis) -> float:
    """User and system time so far of a Redis."""
    cpu = redis.info("cpu")
    return float(cpu["used_cpu_user"] + cpu["used_cpu_sys"])


def _seconds(process: psutil.Process) -> float:
    try:
        times, children = process.cpu_times(), process.children()
    except psutil.NoSuchProcess:
        return 0.0
    own = times.user + times.system + times.children_user + times.children_system
    return float(own) + sum(map(_seconds, children))
