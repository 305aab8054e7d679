"""`flask env`, and RQ's own `rq requeue` with it: typed as users type it, in a shell."""

from __future__ import annotations

import os
from collections.abc import Callable

from queues import dead_letters, keys
from queues.connection import redis
from queues.job import Job
from tests import failing, pickles
from tests.queues.conftest import rq_environment
from tests.web.cli.conftest import Flask_, Shell


def test_the_shell_gets_what_rq_needs(shell: Shell) -> None:
    done = shell('eval "$(flask env)" && echo "$RQ_JOB_CLASS $RQ_REDIS_URL"')
    assert done.stdout == f"queues.job.Job {os.environ['REDIS_URL']}\n"


def test_a_password_with_quotes_survives_eval(shell: Shell) -> None:
    url = "redis://:it's$HOME`x`@127.0.0.1:1/0"
    done = shell('eval "$(flask env)" && printf %s "$RQ_REDIS_URL"', REDIS_URL=url)
    assert done.stdout == url


def test_the_environment_as_json(flask_json: Callable[..., dict[str, str]]) -> None:
    assert flask_json("env") == rq_environment()


def test_rq_requeue_works_as_typed_and_writes_no_pickle(shell: Shell, run_jobs: Callable[[], int]) -> None:
    ids = failing.enqueue(3)
    run_jobs()

    done = shell('eval "$(flask env)" && rq requeue --queue crm-events --all')

    assert done.returncode == 0, done.stderr
    assert "Requeueing 3 jobs" in done.stdout
    assert dead_letters.count() == 0
    assert pickles.found() == []
    assert Job.fetch(ids[0], connection=redis()).retries_left == 3
    redis().set(failing.MENDED, 1)
    run_jobs()
    assert [Job.fetch(job_id, connection=redis()).return_value() for job_id in ids] == [0, 1, 2]
    assert pickles.found() == []


def test_rq_requeue_of_one_job(shell: Shell, run_jobs: Callable[[], int]) -> None:
    ids = failing.enqueue(2)
    run_jobs()
    done = shell(f'eval "$(flask env)" && rq requeue --queue crm-events {ids[1]}')
    assert done.returncode == 0, done.stderr
    assert redis().lrange(keys.queue_key("crm-events"), 0, -1) == [ids[1].encode()]


def test_rq_requeue_without_the_job_class_harms_nothing(shell: Shell, run_jobs: Callable[[], int]) -> None:
    """RQ reads the job with its own class and pickle then, and writes back the bytes that it cannot read."""
    ids = failing.enqueue(2)
    run_jobs()

    done = shell('eval "$(flask env)" && unset RQ_JOB_CLASS && rq requeue --queue crm-events --all')

    assert done.returncode == 0, done.stderr
    assert pickles.found() == []
    job = Job.fetch(ids[0], connection=redis())
    assert job.meta == {"event_id": "0"}
    assert job.retries_left == 3
    redis().set(failing.MENDED, 1)
    run_jobs()
    assert [Job.fetch(job_id, connection=redis()).return_value() for job_id in ids] == [0, 1]


def test_the_search_for_pickles_finds_one(stores: None, flask: Flask_) -> None:
    from rq import Queue

    Queue("other", connection=redis()).enqueue("os.getcwd", job_id="pickled", meta={"a": 1})
    assert [line.split(":")[2].split()[0] for line in pickles.found()] == ["pickled", "pickled"]
