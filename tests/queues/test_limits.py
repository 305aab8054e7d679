"""Pausing queues, and how many of a queue's jobs may run or start at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

import config
from queues import claim, names, pause, rates
from queues.connection import redis
from queues.enqueue import enqueue, enqueue_many
from queues.frugal.limits import Limits
from queues.names import QueueOptions, UnknownQueue
from tests.queues.conftest import ROOT, StartWorker, ledger, new_job
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


@pytest.fixture
def set_rates(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """QUEUE_RATES, for this process."""

    def set_to(text: str) -> None:
        monkeypatch.setenv("QUEUE_RATES", text)
        config.settings.cache_clear()

    yield set_to
    config.settings.cache_clear()


def test_a_rate_in_the_settings_goes_before_the_queue_s_own(
    clean_redis: None, monkeypatch: pytest.MonkeyPatch, set_rates: Callable[[str], None]
) -> None:
    slow = QueueOptions("analytics", "slow", names.Priority.LOW, max_per_second=1)
    monkeypatch.setitem(names.QUEUES, "analytics", slow)
    set_rates("analytics = 2, ai-jobs=0")
    enqueue_many([new_job("note", f"c{n}", what=str(n)) for n in range(5)])
    assert take(3) == ["c0", "c1"]
    assert [rates.per_second(queue) for queue in ("analytics", "ai-jobs", "email-sync")] == [2, 0, 5]


def test_a_frugal_worker_obeys_it_too(set_rates: Callable[[str], None]) -> None:
    set_rates("analytics=0.5")
    limits = Limits()
    limits.note_start("analytics")
    limits.note_start("email-sync")
    assert 1 < limits.opens_in("analytics") <= 2
    assert limits.opens_in("email-sync") == 0


def test_a_worker_with_a_rate_for_a_queue_that_does_not_exist_does_not_start() -> None:
    worker = subprocess.run(
        [sys.executable, "worker.py"],
        cwd=ROOT,
        env={**os.environ, "QUEUE_RATES": "analytics=1,nope=2"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert worker.returncode == 1
    assert "QUEUE_RATES: there is no queue 'nope'; there are: " in worker.stderr
