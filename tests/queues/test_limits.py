"""Pausing queues, and how many of a queue's jobs may run or start at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from queues import claim, names, pause
from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from queues.names import QueueOptions, UnknownQueue
from tests.queues.conftest import StartWorker, ledger, new_job
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def take(slots: int, worker: str = "w") -> list[str]:
    """The ids of the jobs that a worker would start now."""
    return [c.job.id for c in claim.claim(redis(), worker, slots, NOON).claimed]


def test_a_paused_queue_waits_while_the_others_go_on(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    assert pause.pause("analytics", by="ada", reason="vendor is away")
    assert not pause.pause("analytics", by="ben", reason="too late")
    enqueue(new_job("note", "held", what="held"))
    enqueue(new_job("note", "other", queue="email-sync", what="other"))
    wait_until(lambda: ledger() == ["other"])
    assert pause.paused()["analytics"].by == "ada"
    assert pause.resume("analytics")
    assert not pause.resume("analytics")
    wait_until(lambda: ledger() == ["other", "held"])
    assert pause.paused() == {}


def test_an_idle_worker_does_not_spin_on_a_paused_queue(start_worker: StartWorker) -> None:
    start_worker(**FAST)
    pause.pause("analytics", by="ada", reason="")
    enqueue(new_job("note", "held", what="held"))
    redis().config_resetstat()
    wait_until(lambda: redis().info("stats")["total_commands_processed"] > 100, timeout=20)  # our own looks
    stats = redis().info("commandstats")
    assert stats.get("cmdstat_blpop", {"calls": 0})["calls"] <= 2


def test_an_unknown_queue_cannot_be_paused(clean_redis: None) -> None:
    with pytest.raises(UnknownQueue, match="there is no queue 'nope'"):
        pause.pause("nope", by="ada", reason="")


def test_no_more_jobs_of_a_queue_run_than_its_cap(clean_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    capped = QueueOptions("analytics", "capped", names.Priority.LOW, max_running=2, max_per_second=0)
    monkeypatch.setitem(names.QUEUES, "analytics", capped)
    enqueue_many([new_job("note", f"c{n}", what=str(n)) for n in range(5)])
    assert take(3) == ["c0", "c1"]
    assert take(3, "another worker") == []
    member = redis().zrange("rq:wip:analytics", 0, 0)[0]
    redis().zrem("rq:wip:analytics", member)  # one of them ends
    assert take(3) == ["c2"]


def test_a_queue_s_own_rate_goes_before_the_setting(
    clean_redis: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = QueueOptions("analytics", "slow", names.Priority.LOW, max_per_second=1)
    monkeypatch.setitem(names.QUEUES, "analytics", slow)
    enqueue_many([new_job("note", f"c{n}", what=str(n)) for n in range(5)])
    first = claim.claim(redis(), "w", 3, NOON)
    assert [c.job.id for c in first.claimed] == ["c0"]
    assert first.due_at
    assert first.due_at == NOON.timestamp() + 1
