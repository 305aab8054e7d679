"""Jobs with ids that RQ refuses, as other programs and older RQs make them: they end as dead letters."""

from __future__ import annotations

import time

import pytest
from rq import Queue
from rq.serializers import JSONSerializer
from structlog.testing import capture_logs

import config
from queues import claim, clock, dead_letters, hand_back
from queues.claim import ExecutionIds
from queues.connection import connect, redis
from queues.enqueue import enqueue
from queues.frugal.taking import Taking
from queues.job import Job
from queues.slots import Slots
from queues.worker import Worker
from tests.queues.conftest import new_job

IDS = ["a:b", ":", "a:b:c:", "a b", "a.b", "ü"]


@pytest.fixture(params=IDS)
def foreign(request: pytest.FixtureRequest, clean_redis: None, no_limit: None) -> str:
    """The id of a job that waits."""
    job_id = str(request.param)
    enqueue(new_job("noop", "model", payload=""))
    redis().rename("rq:job:model", f"rq:job:{job_id}")
    redis().lpop("rq:queue:analytics")
    redis().rpush("rq:queue:analytics", job_id)
    return job_id


def assert_is_the_only_dead_letter(job_id: str) -> None:
    assert [letter.id for letter in dead_letters.page()] == [job_id]
    assert dead_letters.get(job_id).queue == "analytics"
    assert dead_letters.purge([job_id]).done == 1
    assert not redis().keys("rq:job:*")


@pytest.mark.parametrize("job_id", IDS)
def test_rq_refuses_such_ids(clean_redis: None, job_id: str) -> None:
    queue = Queue("analytics", connection=redis(), job_class=Job, serializer=JSONSerializer)
    with pytest.raises(ValueError, match="Job ID must only contain"):
        queue.enqueue_call("tests.queues.sample_jobs.noop", ("",), job_id=job_id)


def test_a_worker_that_cannot_read_it_twice_makes_it_a_dead_letter(foreign: str) -> None:
    for _ in range(3):
        assert claim.claim(redis(), "w", 1, clock.moment()).claimed == []
        for member in redis().zrange("rq:wip:analytics", 0, -1):
            redis().zadd("rq:wip:analytics", {member: time.time() - 1})  # its lock lapses
    assert_is_the_only_dead_letter(foreign)


def test_it_is_told_of_as_quarantined_and_nothing_fails(foreign: str) -> None:
    worker = Worker(connect(config.settings().redis_location), concurrency=1, grace=1)
    with capture_logs() as lines:
        worker._report_quarantined([foreign])
    assert [line["job_id"] for line in lines] == [foreign]


def test_so_does_one_of_the_frugal_profile(foreign: str) -> None:
    taking = Taking(connect(config.settings().redis_location), "w", Slots(1))
    for _ in range(2):
        assert taking.take("analytics") is None
    assert_is_the_only_dead_letter(foreign)


def test_a_claim_of_it_whose_answer_was_lost_is_handed_back(foreign: str) -> None:
    ids = ExecutionIds()
    claim.claim(redis(), "w", 1, clock.moment(), ids)
    assert hand_back.hand_back_unknown(redis(), "w", ids.prefix, lambda _: False) == 1
    assert redis().lrange("rq:queue:analytics", 0, -1) == [foreign.encode()]
