"""Fairness within a queue: a workspace with many jobs does not make the others wait for them all."""

from __future__ import annotations

from collections import Counter

from queues import claim, clock, counts
from queues.connection import redis
from queues.enqueue import NewJob, cancel, enqueue, enqueue_many
from queues.hand_back import hand_back
from tests.queues.conftest import StartWorker, ledger
from tests.waiting import wait_until

FRONT = 100  # as lua/lanes.lua has it


def job(job_id: str, workspace: str | None, func: str = "noop", **kwargs: str) -> NewJob:
    meta = {"workspace_id": workspace} if workspace else {}
    arguments = kwargs or {"payload": ""}
    return NewJob("analytics", f"tests.queues.sample_jobs.{func}", job_id, arguments, meta=meta)


def jobs(workspace: str | None, number: int) -> list[NewJob]:
    return [job(f"{workspace}-{n}", workspace) for n in range(number)]


def taken(number: int) -> list[str]:
    """Claim that many; ids in order."""
    ids: list[str] = []
    while len(ids) < number:
        found = claim.claim(redis(), "w", 3, clock.moment()).claimed
        ids += [each.job.id for each in found]
        if not found:
            break
    return ids


def waiting() -> int:
    return counts.counts(["analytics"])[0].waiting


def test_one_job_waits_for_the_front_of_the_queue_only(clean_redis: None, no_limit: None) -> None:
    enqueue_many(jobs("big", 10_000))
    enqueue(job("small", "small"))
    order = taken(FRONT + 60)
    assert order.index("small") < 1.5 * FRONT
    assert waiting() == 10_001 - len(order)


def test_all_jobs_run_each_once_and_a_workspace_s_in_their_order(clean_redis: None, no_limit: None) -> None:
    for workspace, number in (("a", 700), ("b", 40), (None, 30), ("c", 300)):
        enqueue_many(jobs(workspace, number))
    order = taken(5_000)
    assert Counter(name.split("-")[0] for name in order) == {"a": 700, "b": 40, "None": 30, "c": 300}
    for workspace in ("a", "b", "None", "c"):
        numbers = [int(name.split("-")[1]) for name in order if name.startswith(f"{workspace}-")]
        assert numbers == sorted(numbers)
    assert waiting() == 0
    assert not redis().keys("clianta:lane*")


def test_workspaces_take_turns(clean_redis: None, no_limit: None) -> None:
    enqueue_many(jobs("a", 1_000))
    enqueue_many(jobs("b", 1_000))
    later = taken(600)[FRONT:]
    shares = Counter(name[0] for name in later)
    assert abs(shares["a"] - shares["b"]) <= FRONT / 2


def test_a_short_queue_knows_no_lanes(clean_redis: None, no_limit: None) -> None:
    enqueue_many(jobs("a", FRONT))
    assert not redis().keys("clianta:lane*")
    assert redis().llen("rq:queue:analytics") == FRONT


def test_a_job_in_a_lane_can_be_cancelled_and_one_at_the_front_overtakes(
    clean_redis: None, no_limit: None
) -> None:
    enqueue_many(jobs("a", FRONT + 10))
    assert cancel(f"a-{FRONT + 5}")
    assert not cancel(f"a-{FRONT + 5}")
    enqueue(NewJob("analytics", "tests.queues.sample_jobs.noop", "urgent", {"payload": ""}, at_front=True))
    order = taken(500)
    assert order[0] == "urgent"
    assert f"a-{FRONT + 5}" not in order
    assert len(order) == FRONT + 10


def test_what_is_handed_back_goes_to_the_front_of_the_list(clean_redis: None, no_limit: None) -> None:
    enqueue_many(jobs("a", FRONT + 50))
    first = claim.claim(redis(), "w", 1, clock.moment()).claimed
    hand_back(redis(), "w", first)
    assert taken(1)[0] == first[0].job.id


def test_a_worker_runs_the_lanes_dry(start_worker: StartWorker) -> None:
    enqueue_many([job(f"n{n}", f"ws{n % 3}", "note", what=str(n)) for n in range(400)])
    start_worker(QUEUE_MAX_JOBS_PER_SECOND="0")
    wait_until(lambda: len(ledger()) == 400, timeout=30)
    assert sorted(map(int, ledger())) == list(range(400))
