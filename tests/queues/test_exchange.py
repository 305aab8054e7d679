"""A worker and Redis: no end, no job and no slot is lost when something breaks on the way."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime

import pytest
from redis import ConnectionError, Redis, RedisError
from redis.exceptions import ReadOnlyError

import config
from queues import channel, claim, clock, enqueue, finish, hand_back
from queues.connection import connect, redis
from queues.enqueue import NewJob, enqueue_many
from queues.exchange import Exchange
from queues.job import Job
from queues.scripts import Call, is_of_replica, run
from queues.slots import Slots
from tests.queues.conftest import new_job, status_of

pytestmark = pytest.mark.usefixtures("clean_redis", "no_limit")
NOOP = {"payload": ""}


@pytest.fixture
def slots() -> Slots:
    return Slots(3)


@pytest.fixture
def exchange(clean_redis: None, slots: Slots) -> Exchange:
    return Exchange(connect(config.settings().redis_location, retries=0), "w", slots)


def noops(*ids: str, workspace: str = "") -> list[NewJob]:
    meta = {"workspace_id": workspace} if workspace else {}
    return [NewJob("analytics", "tests.queues.sample_jobs.noop", each, NOOP, meta=meta) for each in ids]


def waiting() -> list[str]:
    return [each.decode() for each in redis().lrange("rq:queue:analytics", 0, -1)]


def look(number: int, rest: claim.Rest = "rest") -> claim.Claim:
    call = claim.call("w", claim.ExecutionIds().take(number), clock.moment(), rest=rest)
    return claim.answer(redis(), "w", run(redis(), call)[0])


def succeeded(claimed: claim.Claimed) -> Call:
    return finish.succeeded(claimed, None, datetime.now(UTC))


def test_ends_that_several_threads_take_at_once_are_taken_once(exchange: Exchange) -> None:
    taken: list[int] = []
    errors: list[BaseException] = []

    def work() -> None:
        for _ in range(20_000):
            exchange._ends.append(Call("finish", (), ()))
            try:
                taken.append(len(exchange._take_ends()))
            except IndexError as error:
                errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert errors == []
    assert sum(taken) == 60_000


def test_a_job_that_is_over_is_not_handed_back_while_its_end_waits(exchange: Exchange, slots: Slots) -> None:
    enqueue_many(noops("done"))
    done = exchange.claim().claimed[0]
    exchange.end(succeeded(done))
    slots.end(done)
    exchange._may_have_unknown = True
    exchange._hand_back_unknown()
    assert waiting() == []
    exchange._flush()
    assert status_of("done") == "finished"


def test_an_absent_redis_costs_neither_ends_nor_jobs_claimed_ahead(
    exchange: Exchange, slots: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue_many(noops("done", "ahead"))
    done = exchange._send([], slots=1, ahead=1, rest="rest").claimed[0]
    exchange.end(succeeded(done))
    slots.end(done)

    def away(*_: object) -> None:
        raise ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr("queues.channel.Channel.run", away)
        patch.setattr("queues.hand_back.run", away)
        with pytest.raises(RedisError):
            exchange.hand_back([])
    exchange.hand_back([])
    assert status_of("done") == "finished"
    assert waiting() == ["ahead"]


def test_a_job_that_came_along_with_news_runs_even_if_these_cannot_be_passed_on(exchange: Exchange) -> None:
    def full(_: claim.Claim) -> None:
        raise RuntimeError("nobody hears")

    exchange.has_news = full
    enqueue_many(noops("first", "second"))
    first = exchange._send([], slots=1, rest="rest").claimed[0]
    exchange.end(succeeded(first))
    following = exchange.next(first)
    assert following is not None
    assert following.job.id == "second"


def test_a_worker_stops_waiting_for_a_suspect_that_has_gone(exchange: Exchange) -> None:
    enqueue_many(noops("long"))
    exchange.claim()
    exchange.is_draining = True
    enqueue_many(noops("next"))
    exchange.claim()
    assert [each.job.id for each in exchange.claim().claimed] == ["next"]


def test_jobs_that_are_all_in_lanes_are_claimed() -> None:
    enqueue_many([*noops(*[f"a{n}" for n in range(100)], workspace="a"), *noops("b", workspace="b")])
    for n in range(100):
        enqueue.cancel(f"a{n}")
    assert [each.job.id for each in look(3).claimed] == ["b"]


def test_a_job_in_a_lane_that_a_stock_tool_has_cancelled_is_not_run() -> None:
    enqueue_many(noops(*[f"n{n}" for n in range(120)], workspace="a"))
    Job.fetch("n110", connection=redis()).cancel()
    ran = [each.job.id for _ in range(13) for each in look(10).claimed]
    assert len(ran) == 119
    assert status_of("n110") == "canceled"


def test_the_look_of_a_worker_without_a_free_slot_leaves_the_ring_to_others() -> None:
    enqueue_many(noops("n"))
    look(0)
    assert redis().llen("clianta:doorbell") == 1


def test_jobs_are_handed_back_in_their_order() -> None:
    enqueue_many(noops("a", "b", "c", "d"))
    hand_back.hand_back(redis(), "w", look(3).claimed)
    assert waiting() == ["a", "b", "c", "d"]


def test_a_job_that_saves_itself_while_it_runs_comes_back_when_its_worker_dies() -> None:
    enqueue_many(noops("n"))
    claimed = look(1).claimed[0]
    claimed.job.save()
    redis().zadd("rq:wip:analytics", {f"n:{claimed.execution.id}": time.time() - 1})
    assert [each.job.id for each in look(1).claimed] == ["n"]


def test_half_a_character_in_an_error_does_not_keep_a_job_from_its_retry() -> None:
    enqueue_many([new_job("noop", "n", **NOOP)])
    claimed = look(1).claimed[0]
    claimed.job._exc_info = "ValueError: \ud83d"
    run(redis(), finish.to_be_retried(claimed, clock.now() + 60, datetime.now(UTC)))
    assert status_of("n") == "scheduled"
    run(redis(), finish.failed(claimed, "failed", "ValueError: \ud83d", datetime.now(UTC)))


def test_threads_that_end_leave_no_connection_behind() -> None:
    errors: list[RedisError] = []

    def publish(number: int) -> None:
        try:
            enqueue.enqueue(noops(f"n{number}")[0])
        except RedisError as error:
            errors.append(error)

    for number in range(110):
        thread = threading.Thread(target=publish, args=(number,))
        thread.start()
        thread.join()
    assert errors == []
    assert len(redis().client_list()) < 20


def test_after_a_failover_the_line_is_made_anew(exchange: Exchange) -> None:
    client: Redis = connect(config.settings().redis_location, retries=0)
    line = channel.Channel(client)
    enqueue_call = Call("enqueue", (), ["", "", "", "n", "analytics", "back", "", 2, "data", "x"])
    line.run(Call("claim", (), claim.call("w", [], clock.moment()).args))
    redis().execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(RedisError):
            line.run(enqueue_call)
        assert line._connection is not None
        assert not line._connection.is_connected
    finally:
        redis().execute_command("REPLICAOF", "NO", "ONE")
    assert line.run(enqueue_call) == [[1]]
    assert is_of_replica(ReadOnlyError("You can't write against a read only replica."))
