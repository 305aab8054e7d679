"""Webhooks from end to end: a real worker, a real receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

import config
from queues import dead_letters
from queues.batches import batch
from queues.connection import redis
from queues.enqueue import enqueue
from queues.new_job import InvalidWebhook, NewJob
from services import webhook
from tests.queues.conftest import StartWorker, new_job, status_of
from tests.sink import Sink, listening
from tests.waiting import wait_until

FAST = {"QUEUE_MAX_JOBS_PER_SECOND": "0"}
SECRET = "a secret of some length"
MENDED = "test:mended"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """For this process and for the workers that it starts."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "true")
    config.settings.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    config.settings.cache_clear()


def announced(job: NewJob, sink: Sink) -> NewJob:
    return replace(job, webhook=f"{sink.url}/hook")


def deliveries() -> list[str]:
    return sorted(key.decode().removeprefix("rq:job:") for key in redis().keys("rq:job:webhook-*"))


@pytest.mark.parametrize("worker", ["ours", "stock"])
def test_a_finished_job_is_announced_with_its_result_and_signed(
    worker: str, start_worker: StartWorker, run_jobs: Callable[[], int], sink: Sink
) -> None:
    enqueue(announced(new_job("note", "j1", what="hello"), sink))
    if worker == "ours":
        start_worker(**FAST)
    else:
        run_jobs()
    (request,) = wait_until(lambda: sink.requests)
    body = json.loads(request.body)
    assert body.pop("endedAt").endswith("Z")
    assert body == {"jobId": "j1", "queue": "analytics", "status": "finished", "result": "hello"}
    given = request.headers["X-Clianta-Signature"]
    time = int(given.split(",")[0].removeprefix("t="))
    assert given == webhook.signature(SECRET, request.body, time)
    wait_until(lambda: status_of(deliveries()[0]) == "finished")
    assert len(sink.requests) == 1


def test_a_dead_letter_is_announced_and_its_second_life_too(start_worker: StartWorker, sink: Sink) -> None:
    start_worker(**FAST)
    enqueue(announced(new_job("fail_until", "j1", key=MENDED, what="j1"), sink))
    wait_until(lambda: len(sink.requests) == 1)
    redis().set(MENDED, 1)
    dead_letters.requeue(["j1"])
    wait_until(lambda: len(sink.requests) == 2)
    first, second = (json.loads(request.body) for request in sink.requests)
    assert (first["status"], second["status"]) == ("failed", "finished")
    assert "result" not in first
    ids = [request.headers["X-Clianta-Delivery"] for request in sink.requests]
    assert sorted(ids) == deliveries()


def test_a_job_that_is_retried_is_announced_once_at_its_end(start_worker: StartWorker, sink: Sink) -> None:
    start_worker(**FAST)
    enqueue(announced(new_job("fail", "j1"), sink))
    wait_until(lambda: redis().zscore("rq:scheduled:analytics", "j1"))
    assert deliveries() == []
    redis().hset("rq:job:j1", "retries_left", 0)
    wait_until(lambda: sink.requests, timeout=5)
    assert len(deliveries()) == 1


def test_a_delivery_is_tried_again_under_the_same_id(start_worker: StartWorker, sink: Sink) -> None:
    sink.answers[:] = [(503, {}), (200, {})]
    start_worker(**FAST)
    enqueue(announced(new_job("note", "j1", what="x"), sink))
    wait_until(lambda: len(sink.requests) == 2)
    first, second = sink.requests
    assert first.headers["X-Clianta-Delivery"] == second.headers["X-Clianta-Delivery"]
    assert first.body == second.body


def test_an_absent_receiver_fails_its_delivery_not_the_job(start_worker: StartWorker, sink: Sink) -> None:
    sink.answers[:] = [(410, {})]
    start_worker(**FAST)
    enqueue(announced(new_job("note", "j1", what="x"), sink))
    wait_until(lambda: dead_letters.count("integrations") == 1)
    assert status_of("j1") == "finished"
    letter = dead_letters.page("integrations")[0]
    assert letter.func == "services.webhook.deliver"
    assert letter.description == "webhook of j1"
    assert "127.0.0.1 answered 410" in letter.error


def test_a_private_address_is_refused_by_the_worker(
    start_worker: StartWorker, sink: Sink, settings: pytest.MonkeyPatch
) -> None:
    start_worker(**FAST, WEBHOOK_ALLOW_PRIVATE="false")
    enqueue(announced(new_job("note", "j1", what="x"), sink))
    wait_until(lambda: dead_letters.count("integrations") == 1)
    assert "not a public address" in dead_letters.page("integrations")[0].error
    assert sink.requests == []


def test_a_quarantined_job_is_announced(start_worker: StartWorker, sink: Sink) -> None:
    enqueue(announced(new_job("kill_own_worker", "j1"), sink))
    for _life in (1, 2):
        start_worker(**FAST).wait(60)  # one that starts late spares the lock for half a minute
        member = redis().zrange("rq:wip:analytics", 0, 0)[0]
        redis().zadd("rq:wip:analytics", {member: time.time() - 1})  # its lock lapses
    start_worker(**FAST)
    (request,) = wait_until(lambda: sink.requests)
    assert json.loads(request.body)["status"] == "failed"


def test_a_large_result_is_left_out(start_worker: StartWorker, sink: Sink) -> None:
    start_worker(**FAST)
    enqueue(announced(new_job("note", "j1", what="x" * 70_000), sink))
    (request,) = wait_until(lambda: sink.requests)
    body = json.loads(request.body)
    assert body["resultOmitted"] is True
    assert "result" not in body


def test_the_callback_of_a_batch_may_have_a_webhook(start_worker: StartWorker, sink: Sink) -> None:
    start_worker(**FAST)
    jobs = [new_job("note", f"m{n}", what="x") for n in range(3)]
    batch(jobs, announced(new_job("note", "all-done", what="all done"), sink))
    (request,) = wait_until(lambda: sink.requests)
    assert json.loads(request.body)["jobId"] == "all-done"


def test_a_failed_batch_is_announced(start_worker: StartWorker, sink: Sink) -> None:
    start_worker(**FAST)
    batch(
        [new_job("fail_for_good", "bad")],
        announced(new_job("note", "all-done", what="all done"), sink),
        on_failure="fail",
    )
    (request,) = wait_until(lambda: sink.requests)
    assert json.loads(request.body)["status"] == "failed"


@pytest.mark.parametrize(
    "url", ["ftp://host/", "host/path", "https://", "javascript:alert(1)", "https://[::1/"]
)
def test_a_webhook_that_is_no_url_is_refused_when_the_job_is_enqueued(url: str, clean_redis: None) -> None:
    with pytest.raises(InvalidWebhook, match="webhook of the job j1: must be like https://host/path"):
        enqueue(replace(new_job("note", "j1", what="x"), webhook=url))
    assert redis().keys("*") == []


def test_a_webhook_without_a_secret_is_refused_when_the_job_is_enqueued(
    settings: pytest.MonkeyPatch, clean_redis: None, sink: Sink
) -> None:
    settings.delenv("WEBHOOK_SECRET")
    config.settings.cache_clear()
    with pytest.raises(InvalidWebhook, match="set WEBHOOK_SECRET"):
        enqueue(announced(new_job("note", "j1", what="x"), sink))
