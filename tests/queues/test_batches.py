"""Batches: one callback, once, when all is done."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from queues import batches, dead_letters, keys, retention
from queues.batches import batch, progress
from queues.connection import redis
from queues.enqueue import NewJob, cancel, enqueue
from queues.job import Job
from tests.queues.conftest import StartWorker, ledger, new_job, status_of
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
MENDED = "test:mended"


def notes(number: int) -> list[NewJob]:
    return [new_job("note", f"m{n}", what=f"m{n}") for n in range(number)]


def breaking(job_id: str = "bad") -> NewJob:
    return new_job("fail_until", job_id, key=MENDED, what=job_id)


def then() -> NewJob:
    return new_job("note", "all-done", queue="crm-events", what="all done")


def state(batch_id: str = "all-done") -> tuple[int, int, int, bool]:
    seen = progress(batch_id)
    return seen.total, seen.done, seen.failed, seen.is_complete


def test_the_callback_runs_once_after_all_jobs(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    start_worker(**FAST)
    assert batch(notes(50), then()) == 50
    wait_until(lambda: status_of("all-done") == "finished")
    assert len(ledger()) == 51
    assert ledger()[-1] == "all done"
    assert state() == (50, 50, 0, True)


def test_progress_tells_how_far_it_is(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    batch([*notes(3), breaking(), new_job("wait_for_go", "slow", what="slow")], then())
    wait_until(lambda: state() == (5, 3, 1, False))
    assert status_of("all-done") == "deferred"
    redis().rpush("test:go", 1)
    wait_until(lambda: state() == (5, 4, 1, False))


def test_a_stock_worker_counts_too(run_jobs: Callable[[], int]) -> None:
    batch([*notes(3), breaking()], then(), on_failure="continue")
    run_jobs()
    assert state() == (4, 3, 1, True)
    assert ledger().count("all done") == 1


@pytest.mark.parametrize("on_failure", ["wait", "fail"])
def test_a_dead_letter_that_is_requeued_still_completes_the_batch(
    on_failure: str, start_worker: StartWorker
) -> None:
    start_worker(**FAST)
    batch([*notes(3), breaking()], then(), on_failure=on_failure)  # type: ignore[arg-type]
    wait_until(lambda: state() == (4, 3, 1, False))
    assert status_of("all-done") == {"wait": "deferred", "fail": "failed"}[on_failure]
    redis().set(MENDED, 1)
    dead_letters.requeue(["bad"])
    wait_until(lambda: status_of("all-done") == "finished")
    assert ledger().count("all done") == 1
    assert state() == (4, 4, 0, True)
    assert redis().zcard("rq:failed:crm-events") == redis().zcard("rq:deferred:crm-events") == 0


def test_a_failed_batch_says_why_among_the_dead_letters(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    batch([breaking(), new_job("wait_for_go", "slow", what="slow")], then(), on_failure="fail")
    wait_until(lambda: status_of("all-done") == "failed")
    letter = dead_letters.get("all-done")
    assert letter.traceback == batches.FAILED
    assert letter.failed_at is not None


def test_a_failed_callback_that_was_requeued_by_hand_does_not_run_again(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    batch([breaking()], then(), on_failure="fail")
    wait_until(lambda: status_of("all-done") == "failed")
    dead_letters.requeue(["all-done"])
    wait_until(lambda: status_of("all-done") == "finished")
    redis().set(MENDED, 1)
    dead_letters.requeue(["bad"])
    wait_until(lambda: status_of("bad") == "finished")
    assert ledger().count("all done") == 1


def test_a_batch_may_go_on_without_its_dead_letters(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    batch([*notes(2), breaking("bad1"), breaking("bad2")], then(), on_failure="continue")
    wait_until(lambda: status_of("all-done") == "finished")
    assert state() == (4, 2, 2, True)
    redis().set(MENDED, 1)
    dead_letters.requeue(["bad1", "bad2"])
    wait_until(lambda: state() == (4, 4, 0, True))
    assert ledger().count("all done") == 1


def test_a_job_that_runs_twice_counts_once(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    batch([*notes(1), new_job("wait_for_go", "slow", what="slow")], then())
    wait_until(lambda: state() == (2, 1, 0, False))
    job = Job.fetch("m0", connection=redis())
    redis().hset(job.key, "status", "queued")
    redis().rpush("rq:queue:analytics", "m0")
    redis().rpush("clianta:doorbell", 1)
    wait_until(lambda: ledger().count("m0") == 2 and status_of("m0") == "finished")
    assert state() == (2, 1, 0, False)
    assert status_of("all-done") == "deferred"


def test_a_batch_is_not_complete_before_its_last_job_is_enqueued(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_worker(**FAST)
    monkeypatch.setattr(batches, "BATCH", 2)
    _die_at_the_second_part(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        batch(notes(5), then())
    wait_until(lambda: progress("all-done").done == 2)
    assert status_of("all-done") == "deferred"
    monkeypatch.undo()
    monkeypatch.setattr(batches, "BATCH", 2)
    assert batch(notes(5), then()) == 3
    wait_until(lambda: status_of("all-done") == "finished")
    assert sorted(ledger()) == ["all done", "m0", "m1", "m2", "m3", "m4"]


def _die_at_the_second_part(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(*args: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args)

    original: Callable[..., object] = batches.run
    monkeypatch.setattr(batches, "run", run)


def test_enqueueing_a_batch_twice_changes_nothing(run_jobs: Callable[[], int]) -> None:
    assert batch(notes(3), then()) == 3
    assert batch(notes(3), then()) == 0
    run_jobs()
    assert batch(notes(3), then()) == 0
    run_jobs()
    assert sorted(ledger()) == ["all done", "m0", "m1", "m2"]


def test_a_batch_of_the_same_name_with_other_jobs_is_refused(clean_redis: None) -> None:
    batch(notes(3), then())
    with pytest.raises(batches.OtherBatch, match=r"all-done.*than 4"):
        batch(notes(4), then())
    assert redis().llen("rq:queue:analytics") == 3


def test_jobs_that_exist_already_count_as_they_are(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    running = new_job("wait_for_go", "running", what="running")
    for job in (*notes(1), breaking(), running):
        enqueue(job)
    wait_until(lambda: status_of("m0") == "finished" and status_of("bad") == "failed" and len(ledger()) == 3)
    batch([*notes(1), breaking(), running], then(), on_failure="continue")
    assert state() == (3, 1, 1, False)
    redis().rpush("test:go", 1)
    wait_until(lambda: status_of("all-done") == "finished")


def test_a_job_may_belong_to_two_batches(run_jobs: Callable[[], int]) -> None:
    other = new_job("note", "other-done", what="other done")
    batch(notes(2), then())
    batch(notes(3), other)
    run_jobs()
    assert state() == (2, 2, 0, True)
    assert state("other-done") == (3, 3, 0, True)
    assert {"all done", "other done"} <= set(ledger())


def test_a_batch_of_nothing_is_complete(run_jobs: Callable[[], int]) -> None:
    batch([], then())
    run_jobs()
    assert ledger() == ["all done"]


@pytest.mark.parametrize("give_up", ["purge", "cancel"])
def test_giving_up_a_job_cancels_the_callback_that_waits_for_it(
    give_up: str, run_jobs: Callable[[], int]
) -> None:
    batch([*notes(2), breaking()], then())
    if give_up == "purge":
        run_jobs()
        dead_letters.purge(["bad"])
    else:
        assert cancel("bad")
        run_jobs()
    assert status_of("all-done") == "canceled"
    assert "all done" not in ledger()


@pytest.mark.parametrize("requeued", [0, 1])
@pytest.mark.parametrize("worker", ["ours", "stock"])
def test_a_dead_letter_that_lapses_cancels_the_callback_that_waits_for_it(
    worker: str, requeued: int, start_worker: StartWorker, run_jobs: Callable[[], int]
) -> None:
    batch([*notes(2), breaking()], then())
    if worker == "ours":
        start_worker(**FAST)
    else:
        run_jobs()
    wait_until(lambda: state() == (3, 2, 1, False))
    for _ in range(requeued):
        dead_letters.requeue(["bad"])
        if worker == "stock":
            run_jobs()
        wait_until(lambda: status_of("bad") == "failed")
    pass_time(redis().zscore("rq:failed:analytics", "bad") - time.time() + 1)
    assert dead_letters.page() == []  # who looks leaves it to the trim
    retention.trim(redis())
    assert status_of("all-done") == "canceled"
    assert redis().keys("rq:*bad*") == []


def pass_time(seconds: float) -> None:
    """As if it had passed for all that lapses: keys by themselves, dead letters at the next trim."""
    for key in redis().keys("*"):
        if (left := redis().ttl(key)) >= 0:
            redis().expire(key, int(left - seconds))  # at once when it is none
    for member, score in redis().zrange("rq:failed:analytics", 0, -1, withscores=True):
        redis().zadd("rq:failed:analytics", {member: score - seconds})


def test_giving_up_a_job_lets_a_batch_go_on_that_does_not_mind(run_jobs: Callable[[], int]) -> None:
    batch([*notes(2), breaking()], then(), on_failure="continue")
    cancel("bad")
    run_jobs()
    assert ledger().count("all done") == 1


def test_a_quarantined_job_counts_as_failed(start_worker: StartWorker) -> None:
    batch([new_job("kill_own_worker", "killer")], then(), on_failure="continue")
    for _life in (1, 2):
        start_worker(**FAST).wait(60)  # one that starts late spares the lock for half a minute
        member = redis().zrange("rq:wip:analytics", 0, 0)[0]
        redis().zadd("rq:wip:analytics", {member: time.time() - 1})  # its lock lapses
    start_worker(**FAST)
    wait_until(lambda: status_of("all-done") == "finished")
    assert state() == (1, 0, 1, True)


def test_an_unknown_batch_is_named(clean_redis: None) -> None:
    with pytest.raises(batches.NoBatch, match="no batch nothing"):
        progress("nothing")


def test_two_jobs_of_one_id_are_refused(clean_redis: None) -> None:
    with pytest.raises(ValueError, match="need an id each"):
        batch([*notes(1), *notes(1)], then())
    with pytest.raises(ValueError, match="need an id each"):
        batch([then()], then())
    assert redis().keys("*") == []


def test_ten_thousand_jobs_take_twenty_round_trips_and_a_few_commands_each(clean_redis: None) -> None:
    jobs = [new_job("noop", f"m{n}", payload="") for n in range(10_000)]
    before = calls()
    assert batch(jobs, then()) == 10_000
    spent = {name: number - before.get(name, 0) for name, number in calls().items()}
    assert spent["evalsha"] <= 22  # and one or two to teach it the script
    assert sum(spent.values()) < 10_000 * 4.1
    assert state() == (10_000, 0, 0, False)


def test_the_end_of_a_member_costs_three_commands_more(start_worker: StartWorker) -> None:
    redis().set("rq:suspended", 1)
    redis().set(keys.LAST_TRIM, 1)  # or the worker tidies up beside it, with commands of its own
    start_worker(**FAST)
    batch(notes(100), then())
    before = calls()
    redis().delete("rq:suspended")
    redis().rpush("clianta:doorbell", 1)
    wait_until(lambda: status_of("all-done") == "finished")
    spent = {name: number - before.get(name, 0) for name, number in calls().items()}
    assert spent["scard"] == spent["smembers"] == 100
    assert spent["srem"] == 100
    assert spent["hmget"] <= 101 + 10  # one each, as any


def calls() -> dict[str, int]:
    stats = redis().info("commandstats")
    return {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in stats.items()}
