"""Kill a worker before each command that it sends while it works on a chain or a batch; the next one goes on.

`python -m tests.queues.kill_at_each_step SCENARIO` prints {"steps": how many kills, "lost": what went wrong}.
The processes are forks, so that a kill costs no start of a Python.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.connection import AbstractConnection

import config
from queues import profiles
from queues.batches import batch
from queues.chains import chain
from queues.connection import connect, redis
from queues.enqueue import enqueue_many
from queues.names import QUEUES
from tests.queues.conftest import ledger, new_job
from tests.waiting import wait_until

MOST_STEPS = 200


@dataclass(frozen=True)
class Scenario:
    enqueue: Callable[[], object]
    last: str  # the job that has finished when all is done
    order: list[str]  # what the ledger must show, repetitions aside


def _chain(first: str, **options: object) -> Callable[[], object]:
    def enqueue() -> object:
        a = new_job(first, "a") if first == "fail_for_good" else new_job("note", "a", what="a")
        rest = [new_job("note", name, what=name) for name in ("b", "c")]
        return chain(a, *rest, **options)  # type: ignore[arg-type]

    return enqueue


def _batch() -> object:
    members = [new_job("note", "a", what="a"), new_job("fail_for_good", "b")]
    return batch(members, new_job("note", "c", what="c"), on_failure="continue")


def _plain() -> object:
    queues = {"a": "crm-events", "b": "email-sync", "c": "analytics"}
    return enqueue_many([new_job("note", name, queue=queue, what=name) for name, queue in queues.items()])


SCENARIOS = {
    "plain": Scenario(_plain, "c", ["a", "b", "c"]),
    "chain": Scenario(_chain("note"), "c", ["a", "b", "c"]),
    "chain-that-continues": Scenario(
        _chain("fail_for_good", on_failure="continue"), "c", ["fail_for_good", "b", "c"]
    ),
    "batch": Scenario(_batch, "c", ["a", "fail_for_good", "c"]),
}


class Mortal(profiles.worker()):  # type: ignore[misc]
    """Dies right before it sends its `step`th command after it was registered."""

    step = 0

    def _register(self) -> None:
        super()._register()
        if self.step:
            _die_before_sending(self.step)


def _die_before_sending(step: int) -> None:
    sent = 0
    send = AbstractConnection.send_packed_command

    def counting(connection: AbstractConnection, *args: object, **kwargs: object) -> object:
        nonlocal sent
        sent += 1
        if sent >= step:
            os.kill(os.getpid(), signal.SIGKILL)
        return send(connection, *args, **kwargs)

    AbstractConnection.send_packed_command = counting


def _worker(step: int) -> int:
    """Fork a worker; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    worker = Mortal(connect(config.settings().redis_location), concurrency=1, grace=5)
    worker.step = step
    worker.work()
    os._exit(0)


def _is_dead(pid: int) -> bool:
    return os.waitpid(pid, os.WNOHANG)[0] == pid


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: _is_dead(pid), what="the worker's end")


def _run(scenario: Scenario, step: int) -> bool:
    """Whether the worker died of it; if so, another one has taken over and finished."""
    redis().flushall()
    scenario.enqueue()
    victim = _worker(step)
    is_done = lambda: redis().hget(f"rq:job:{scenario.last}", "status") in (b"finished", None)  # noqa: E731
    if wait_until(lambda: (_is_dead(victim) and "dead") or (is_done() and "done")) == "done":
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        return False
    for name in QUEUES:
        running = f"rq:wip:{name}"
        for member in redis().zrange(running, 0, -1):
            redis().zadd(running, {member: time.time() - 1})  # its lock lapses
    redis().delete(*redis().keys("rq:worker:*"))
    heir = _worker(0)
    try:
        wait_until(is_done, what=f"the end, after a kill at step {step}")
    finally:
        _end(heir)
    return True


def _violations(scenario: Scenario, step: int) -> list[str]:
    seen = ledger()
    found = []
    if list(dict.fromkeys(seen)) != scenario.order:
        found.append(f"step {step}: {seen}")
    if any(seen.count(name) > 2 for name in scenario.order) or seen.count(scenario.last) > 2:
        found.append(f"step {step}: too often: {seen}")
    left = [key for kind in ("queue", "wip") for key in redis().keys(f"rq:{kind}:*")]
    if left or redis().keys("clianta:taken:*"):
        found.append(f"step {step}: left behind: {left}")
    if redis().zcard("rq:deferred:analytics"):
        found.append(f"step {step}: something waits for ever")
    return found


def main(name: str) -> None:
    scenario = SCENARIOS[name]
    lost: list[str] = []
    step = 1
    while step < MOST_STEPS and _run(scenario, step):
        lost += _violations(scenario, step)
        step += 1
    sys.stdout.write(json.dumps({"steps": step - 1, "lost": lost}))


if __name__ == "__main__":
    config.settings.cache_clear()
    main(sys.argv[1])
