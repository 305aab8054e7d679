"""Jobs that fail, for the tests of dead letters."""

from __future__ import annotations

from queues.connection import redis
from queues.enqueue import NewJob, enqueue_many
from queues.job import Job

MENDED = "test:mended"  # set this key, and the jobs below succeed


class Broken(Exception):
    """Permanent: so a test need not wait for retries."""

    permanent = True


def break_down(number: int) -> int:
    """A job that fails for good until its cause is mended."""
    if not redis().exists(MENDED):
        raise Broken(f"the thing number {number} is broken")
    return number


def tick(tick: str) -> str:
    """A scheduled job that fails until its cause is mended."""
    if not redis().exists(MENDED):
        raise Broken("the mailboxes are broken")
    return tick


def stumble(number: int) -> int:
    """A job that fails as one does by chance: it is retried."""
    raise ConnectionError(f"line {number} is busy")


def enqueue(
    number: int = 1, *, queue: str = "crm-events", func: str = "break_down", start: int = 0
) -> list[str]:
    """Enqueue jobs that will fail; returns their ids."""
    ids = [f"{queue}-{func}-{i}" for i in range(start, start + number)]
    enqueue_many(
        [
            NewJob(queue, f"tests.failing.{func}", job_id, {"number": i}, f"{func} {i}", {"event_id": str(i)})
            for i, job_id in enumerate(ids, start)
        ]
    )
    return ids


def bury(ids: list[str], error: str = "ValueError: buried") -> None:
    """Make queued jobs dead letters as RQ does it, without running them: quick for thousands."""
    from rq.job import JobStatus
    from rq.queue import Queue

    with redis().pipeline(transaction=False) as pipeline:
        for job in Job.fetch_many(ids, connection=redis()):
            assert job is not None
            pipeline.lrem(Queue(job.origin, connection=redis()).key, 1, job.id)
            job.set_status(JobStatus.FAILED, pipeline=pipeline)
            job._handle_failure(f"Traceback …\n{error}", pipeline=pipeline)
        pipeline.execute()
