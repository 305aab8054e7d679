"""Start programs, each in a process group of its own, and stop all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.environment import ROOT

POLL = 0.02  # seconds


class Failed(RuntimeError):
    """A program of the benchmark ended or hung; the message holds the end of its log, and the reason last."""


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, for the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    except Failed as failure:
        raise Failed(f"the end of {command[0]}'s log:\n{_tail(log)}\n{failure}") from None
    finally:
        _stop(process)


@contextmanager
def answering(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Callable[[object], str]]:
    """A program that answers each line with one, for the block: a function that asks it. Raises `Failed`."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        start_new_session=True,
    )

    def ask(question: object) -> str:
        print(question, file=process.stdin)
        if process.stdout and (answer := process.stdout.readline()):
            return answer.strip()
        raise Failed(f"{' '.join(command)} ended without an answer")

    with process:
        try:
            yield ask
        finally:
            _stop(process)


def output_of(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """What the program prints. Raises `Failed` with what it said when it fails."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)} failed:\n{done.stderr[-2_000:]}")
    return done.stdout


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float, needed: Iterable[subprocess.Popen[bytes]] = ()
) -> None:
    """Raises `Failed` when the condition has not come true in time, or one of the needed programs ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        if any(process.poll() is not None for process in needed):
            raise Failed(f"a program ended while it was needed for {what}")
        if time.monotonic() > deadline:
            raise Failed(f"{what} took more than {seconds:g} s")
        time.sleep(POLL)  # between two looks; the deadline ends them


def pause(seconds: float) -> None:
    """Let real time pass: what is measured is that nothing happens in it."""
    time.sleep(seconds)  # the length of what is measured


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill it and its children: what was measured is over, and its Redis goes too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:]
