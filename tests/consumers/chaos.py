"""Workers that take jobs in any order, more than once, several at a time, and die in the middle of them."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect
from redis.exceptions import ConnectionError

import queues.enqueue
from consumers import automations, healing
from models import store
from models.event import EventRecord
from models.redis_sight import RedisSight
from models.trigger_run import RUNNING, TriggerRun
from publishers import relay
from queues.connection import redis
from queues.job import Job
from tests.killing import Killed
from tests.publishers.ageing import make_due

COMMANDS = ("insert_many", "update_one", "update_many", "bulk_write", "find", "find_one", "aggregate")
FAULTY = 0.06  # of the store's and Redis' calls fail while a job runs, before or after they took effect
REPEATED = 0.3  # of the jobs are delivered again though they had ended
WORKERS = 3
MOST_TRIES = 400  # of one job; more means that it can never succeed


class Faults:
    """Calls of the store and of Redis fail on threads that are armed."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self._armed = threading.local()
        for name in COMMANDS:
            patch.setattr(Collection, name, self._faulty(getattr(Collection, name), AutoReconnect))
        send = self._faulty(queues.enqueue._send, ConnectionError)
        patch.setattr(queues.enqueue, "_send", send)

    @contextmanager
    def armed(self, chance: random.Random) -> Iterator[None]:
        self._armed.chance = chance
        try:
            yield
        finally:
            del self._armed.chance

    def _faulty(self, real: Callable[..., Any], error: type[Exception]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            fault = self._fault(error)
            if fault and fault[0]:
                raise fault[1]
            result = real(*args, **kwargs)
            if fault:
                raise fault[1]
            return result

        return call

    def _fault(self, error: type[Exception]) -> tuple[bool, BaseException] | None:
        """Whether it comes before the call, and what it is."""
        chance: random.Random | None = getattr(self._armed, "chance", None)
        if chance is None or chance.random() > FAULTY:
            return None
        return chance.random() < 0.5, chance.choice([Killed(), error("as asked")])


class Workers:
    def __init__(self, seed: int, faults: Faults):
        self._seed, self._faults = seed, faults
        self.tries: Counter[str] = Counter()
        self.repeated = self.died = 0
        self._stop = threading.Event()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For the block, and until each job ended once or the deaths have taken long enough."""
        chances = [random.Random(self._seed * 100 + number) for number in range(WORKERS)]
        threads = [threading.Thread(target=self._work, args=[chance]) for chance in chances]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(100)
        assert not any(thread.is_alive() for thread in threads)

    def _work(self, chance: random.Random) -> None:
        while (waiting := open_jobs()) or not self._stop.wait(0.01):
            if waiting:
                self._take(chance.choice(waiting), chance)

    def _take(self, job_id: str, chance: random.Random) -> None:
        self.tries[job_id] += 1
        assert self.tries[job_id] < MOST_TRIES, f"{job_id} never ends"
        try:
            with self._faults.armed(chance):
                fetch(job_id).perform()
        except (Killed, Exception):  # noqa: BLE001 - it is delivered again
            self.died += 1
            return
        if chance.random() < REPEATED:
            self.repeated += 1
        else:
            finished(job_id)


def settle() -> None:
    """Nothing fails any more: run what is left, and enqueue what was lost, until all of it is done."""
    for _ in range(100):
        while waiting := open_jobs():
            for job_id in waiting:
                fetch(job_id).perform()
                finished(job_id)
        runs = TriggerRun.objects(status=RUNNING)
        if not EventRecord.objects(status__ne="done") and not runs:
            return
        make_due()
        relay.relay()
        runs.update(set__created_at=store.now() - automations.LOST_AGE * 2)
        automations.recover()
    states = [(record.type, record.status) for record in EventRecord.objects(status__ne="done")]
    raise AssertionError(f"never done: {states}")


def handle_events() -> None:
    """Run the jobs of events, as a worker does; the jobs that they hand on stay where they are."""
    while waiting := [job_id for job_id in open_jobs() if job_id.startswith("event-")]:
        for job_id in waiting:
            fetch(job_id).perform()
            finished(job_id)


def heal(start: datetime | None = None) -> int:
    """All that the scheduler does until nothing is left to be made good; for how many events."""
    at, count = start or store.now() + healing.LOOK, 0
    for _ in range(100):
        count += healing.heal(at)
        at += timedelta(minutes=1)
        if not (sight := RedisSight.current()) or not sight.since:
            return count
    raise AssertionError("never made good")


def open_jobs() -> list[str]:
    keys = [key.decode() for key in redis().scan_iter("rq:job:*", count=1_000)]
    with redis().pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hget(key, "status")
        states = pipeline.execute()
    return sorted(
        key.removeprefix("rq:job:") for key, state in zip(keys, states, strict=True) if state == b"queued"
    )


def fetch(job_id: str) -> Job:
    job: Any = Job.fetch(job_id, connection=redis())
    return job  # type: ignore[no-any-return]


def finished(job_id: str) -> None:
    """Unless Redis has lost it: an end brings no job back, which would keep it from being made anew."""
    if redis().exists(f"rq:job:{job_id}"):
        redis().hset(f"rq:job:{job_id}", "status", "finished")
