"""Bears worker.py and scheduler.py as processes of their own, by a fork of one that has imported them.

So a start costs some milliseconds instead of a second, and hundreds of kills are no matter. Each child runs
the program's own `main()`. tests/faults/processes.py starts us and writes one JSON object a line: a child to
bear, or the question how one ended. Orphans of killed children come to us: nothing gets out of sight.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from datetime import timedelta
from typing import Any

import psutil

import scheduler
import worker
from tests.faults import clocks

PROGRAMS = {"worker": worker.main, "scheduler": scheduler.main}
PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def serve() -> str | None:
    """Answer requests until the input ends. In a child it returns the name of the program to be."""
    codes: dict[int, int] = {}
    while line := sys.stdin.readline():
        request = json.loads(line)
        _reap(codes)
        if "program" in request:
            if not (pid := os.fork()):
                return _be_born(request)
            _answer(pid)
        else:
            _answer(codes.get(request["code_of"]))
    return None


def _answer(value: int | None) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def _reap(codes: dict[int, int]) -> None:
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            codes[ended[0]] = os.waitstatus_to_exitcode(ended[1])
    except ChildProcessError:
        return


def _be_born(request: dict[str, Any]) -> str:
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.update(request["environment"])
    if megabytes := os.environ.get("FAULTS_MEMORY_MB"):
        _limit_memory(int(megabytes) * 1_048_576)
    if seconds := os.environ.get("FAULTS_CLOCK_AHEAD"):
        clocks.install(timedelta(seconds=float(seconds)))
    sys.argv = [f"{request['program']}.py"]
    return str(request["program"])


def _limit_memory(more: int) -> None:
    """The process may grow by that many bytes, then malloc fails."""
    most = psutil.Process().memory_info().vms + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which ends us
    if program := serve():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        PROGRAMS[program]()
