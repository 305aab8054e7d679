"""Dead letters: what `flask dlq` and `rq requeue` rest on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from queues import dead_letters, keys
from queues.connection import redis
from queues.job import Job
from queues.names import UnknownQueue, options
from queues.records import Record
from tests import failing

MANY = 5_000


@pytest.fixture
def dead(run_jobs: Callable[[], int]) -> list[str]:
    """Three dead letters of `crm-events`."""
    ids = failing.enqueue(3)
    run_jobs()
    return ids


def waiting(queue: str = "crm-events") -> list[str]:
    return [job_id.decode() for job_id in redis().lrange(keys.queue_key(queue), 0, -1)]


def test_a_dead_letter_says_what_failed_and_why(dead: list[str]) -> None:
    letter = dead_letters.get(dead[1])
    assert (letter.id, letter.queue) == (dead[1], "crm-events")
    assert letter.func == "tests.failing.break_down"
    assert letter.kwargs == {"number": 1}
    assert letter.meta["event_id"] == "1"
    assert letter.error.endswith("Broken: the thing number 1 is broken")
    assert "break_down" in letter.traceback
    assert letter.failed_at is not None
    assert letter.expires_at is not None
    assert letter.failed_at < letter.expires_at


def test_the_error_of_a_group_is_its_last_exception() -> None:
    traceback = (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "dispatch.py", line 1, in handle\n'
        "  | consumers.dispatch.ReactionsFailed: 1 reaction(s) failed (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | Traceback (most recent call last):\n"
        '    |   File "contact.py", line 9, in score\n'
        "    |     raise ValueError(x)\n"
        "    | ValueError: no such contact\n"
        "    | in the reaction score to contact.created\n"
        "    +------------------------------------"
    )
    assert Record("x", None, traceback).error == "ValueError: no such contact"


def test_the_list_is_paged_over_all_queues_with_the_latest_first(stores: None) -> None:
    older = failing.enqueue(3)
    failing.bury(older)
    newer = failing.enqueue(2, queue="analytics")
    failing.bury(newer)
    for place, job_id in enumerate(older + newer):  # a second apart, as failures are in life
        queue = "crm-events" if job_id in older else "analytics"
        redis().zincrby(dead_letters.registry_key(queue), place, job_id)

    pages = [[letter.id for letter in dead_letters.page(offset=offset, limit=2)] for offset in (0, 2, 4, 6)]

    latest_first = (older + newer)[::-1]
    assert pages == [latest_first[:2], latest_first[2:4], latest_first[4:], []]
    assert [letter.id for letter in dead_letters.page("analytics")] == newer[::-1]
    assert dead_letters.count() == 5
    assert dead_letters.count("analytics") == 2


def test_an_unknown_queue_is_refused_with_those_that_exist(stores: None) -> None:
    with pytest.raises(UnknownQueue, match="crm-events"):
        dead_letters.page("crm-evnts")


def test_a_dead_letter_whose_data_is_damaged_is_shown_and_can_be_purged(dead: list[str]) -> None:
    redis().hset(Job.key_for(dead[0]), "data", b"\x80\x04}\x94.")  # a pickle
    redis().delete(Job.key_for(dead[1]))
    letters = {letter.id: letter for letter in dead_letters.page()}
    assert letters[dead[0]].func == "(unreadable: not JSON)"
    assert letters[dead[1]].error == "its data is gone or unreadable: purge it"
    assert dead_letters.purge(dead).done == 3
    assert dead_letters.count() == 0


def test_a_requeued_job_runs_with_all_its_retries(dead: list[str], run_jobs: Callable[[], int]) -> None:
    assert dead_letters.requeue(dead).done == 3
    assert waiting() == dead
    assert dead_letters.count() == 0
    job = Job.fetch(dead[0], connection=redis())
    assert job.retries_left == len(options("crm-events").retry_waits)
    assert job.retry_intervals == [1, 5, 30]
    assert job.get_status() == "queued"
    assert job.started_at is None
    assert job.ended_at is None
    assert redis().ttl(job.key) == -1  # a waiting job does not expire

    redis().set(failing.MENDED, 1)
    run_jobs()
    assert [Job.fetch(job_id, connection=redis()).return_value() for job_id in dead] == [0, 1, 2]


def test_a_requeued_job_that_stumbles_is_retried_before_it_is_dead_again(
    stores: None, run_jobs: Callable[[], int]
) -> None:
    ids = failing.enqueue(1, func="stumble")
    failing.bury(ids)
    dead_letters.requeue(ids)
    run_jobs()
    assert Job.fetch(ids[0], connection=redis()).get_status() == "scheduled"
    assert dead_letters.count() == 0


def test_a_job_that_was_quarantined_gets_its_lives_back(dead: list[str]) -> None:
    redis().hset(Job.key_for(dead[0]), "stalls", 2)
    dead_letters.requeue(dead[:1])
    assert not redis().hexists(Job.key_for(dead[0]), "stalls")


def test_requeueing_twice_enqueues_once(dead: list[str]) -> None:
    first, second = dead_letters.requeue([dead[0], dead[0]]), dead_letters.requeue(dead[:1])
    assert (first.done, second.done, second.missing) == (1, 0, (dead[0],))
    assert waiting() == [dead[0]]


def test_two_operators_who_requeue_at_once_enqueue_each_job_once(stores: None) -> None:
    ids = failing.enqueue(400)
    failing.bury(ids)
    done: list[int] = []

    def requeue_all() -> None:
        done.append(sum(moved.done for moved in dead_letters.requeue_all("crm-events")))

    threads = [threading.Thread(target=requeue_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 400
    assert sorted(waiting()) == sorted(ids)


def test_an_entry_whose_job_has_expired_is_removed_and_counted(dead: list[str]) -> None:
    redis().delete(Job.key_for(dead[2]))
    moved = dead_letters.requeue(dead)
    assert (moved.done, moved.gone, moved.missing) == (2, 1, ())
    assert dead_letters.count() == 0


def test_a_purged_job_leaves_nothing_behind(dead: list[str]) -> None:
    assert dead_letters.purge(dead).done == 3
    left = {key.decode() for key in redis().keys("*")}
    assert not [key for key in left if any(job_id in key for job_id in dead)]


def test_a_job_that_was_requeued_in_the_meantime_is_not_purged(dead: list[str]) -> None:
    dead_letters.requeue(dead[:1])
    moved = dead_letters.purge(dead)
    assert (moved.done, moved.missing) == (2, (dead[0],))
    assert Job.exists(dead[0], redis())


def test_a_missing_dead_letter_is_explained(dead: list[str]) -> None:
    dead_letters.requeue(dead[:1])
    with pytest.raises(dead_letters.NoDeadLetter, match="not a dead letter: it is queued"):
        dead_letters.get(dead[0])
    with pytest.raises(dead_letters.NoDeadLetter, match="flask dlq list"):
        dead_letters.get("no-such-job")


@pytest.fixture
def many(stores: None) -> list[str]:
    ids = failing.enqueue(MANY)
    failing.bury(ids)
    redis().config_resetstat()
    return ids


def calls(command: str) -> int:
    return int(redis().info("commandstats").get(f"cmdstat_{command}", {}).get("calls", 0))


def test_five_thousand_dead_letters_are_requeued_in_ten_batches(many: list[str]) -> None:
    batches = list(dead_letters.requeue_all("crm-events"))
    assert [moved.done for moved in batches] == [500] * 10
    assert (calls("evalsha"), calls("zrange")) == (10, 10)
    assert redis().llen(keys.queue_key("crm-events")) == MANY


def test_five_thousand_dead_letters_are_purged_in_ten_batches(many: list[str]) -> None:
    assert sum(moved.done for moved in dead_letters.purge_all("crm-events")) == MANY
    assert (calls("evalsha"), calls("zrange")) == (10, 10)
    assert not list(redis().scan_iter("rq:job:*", count=1_000))


def test_a_page_reads_only_its_own_jobs(many: list[str]) -> None:
    letters = dead_letters.page(offset=4_000, limit=20)
    assert len(letters) == 20
    assert calls("hgetall") == 20


def test_requeueing_all_ends_though_jobs_come_back(dead: list[str]) -> None:
    """A job that fails again at once goes to the end of the registry; it must not be requeued for ever."""
    batches = 0
    for moved in dead_letters.requeue_all("crm-events"):
        batches += 1
        assert moved.done
        failing.bury(dead)
    assert batches == 1


def test_what_a_requeue_writes_is_what_rq_reads(dead: list[str]) -> None:
    dead_letters.requeue(dead)
    record = redis().hgetall(Job.key_for(dead[0]))
    assert record[b"status"] == b"queued"
    assert json.loads(record[b"retry_intervals"]) == [1, 5, 30]
    assert Job.fetch(dead[0], connection=redis()).enqueued_at is not None
