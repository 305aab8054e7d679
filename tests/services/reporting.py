"""A process that fails in one way and reports it: `python -m tests.services.reporting WAY [DSN]`."""

from __future__ import annotations

import os
import sys
import threading

from flask import Flask, request
from rq import Queue, Retry, SimpleWorker
from rq.serializers import JSONSerializer

from queues.connection import redis
from queues.job import Job
from services import logs, sentry
from web import errors

QUEUE = "crm-events"
PLANTED = "planted-7f3a-secret"


class Hopeless(Exception):
    permanent = True


def fail(text: str) -> None:
    """Fail with what must not be sent in an argument, a local variable and the message."""
    body = f"Dear {text}"  # noqa: F841 - a local variable of the frame
    raise RuntimeError(f"no answer from redis://user:{PLANTED}@localhost/0 for grace.{PLANTED}@navy.test")


def fail_for_good(text: str) -> None:
    raise Hopeless("no use trying again")


def job_fails(func: str = "fail") -> None:
    """Three tries by RQ's own SimpleWorker, without waits."""
    queue = Queue(QUEUE, connection=redis(), job_class=Job, serializer=JSONSerializer)
    queue.enqueue(
        f"tests.services.reporting.{func}",
        kwargs={"text": PLANTED},
        job_id="doomed",
        description=f"doomed {PLANTED}",
        retry=Retry(max=2),
        meta={"workspace_id": "5f0c0ffee0c0ffee0c0ffee0", "event_id": "e1", "correlation_id": "c1"},
    )
    SimpleWorker([queue], connection=redis(), job_class=Job, serializer=JSONSerializer).work(burst=True)


def job_fails_for_good() -> None:
    job_fails("fail_for_good")


def job_fails_and_process_dies() -> None:
    job_fails()
    sentry.flush()
    os._exit(3)


def error_just_before_death() -> None:
    """No time between the report and the end, in which it could be sent by chance."""
    sentry.capture(RuntimeError("at the last moment"))
    sentry.flush()
    os._exit(3)


def job_is_unreadable() -> None:
    """A job whose data is no JSON, as a foreign tool may leave it."""
    queue = Queue(QUEUE, connection=redis(), job_class=Job, serializer=JSONSerializer)
    job = queue.enqueue("tests.services.reporting.fail", kwargs={"text": PLANTED}, job_id="unreadable")
    redis().hset(job.key, "data", f"{PLANTED} is no JSON")
    SimpleWorker([queue], connection=redis(), job_class=Job, serializer=JSONSerializer).work(burst=True)


def request_fails() -> None:
    app = Flask(__name__)
    errors.init_app(app)

    @app.post("/break")
    def break_down() -> str:
        body = request.get_json()  # noqa: F841 - a local variable of the frame
        raise RuntimeError("the view broke")

    headers = {"Authorization": f"Bearer {PLANTED}", "Cookie": f"session={PLANTED}"}
    answer = app.test_client().post(f"/break?key={PLANTED}", json={"text": PLANTED}, headers=headers)
    assert answer.status_code == 500


def thread_fails() -> None:
    thread = threading.Thread(target=fail, args=(PLANTED,))
    thread.start()
    thread.join()


def process_fails() -> None:
    fail(PLANTED)


if __name__ == "__main__":
    logs.configure("json", "INFO")
    sentry.init(sys.argv[2] if len(sys.argv) > 2 else None, "test", release="0.1.0")
    globals()[sys.argv[1]]()
