"""Sentry: one event per failed job or request, told by its queue, job and workspace.

A try that is followed by a retry makes no event: only the last failure is news. Never sent: arguments of
jobs, bodies and headers of requests, local variables, e-mail addresses, credentials in messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sentry_sdk
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.worker import BaseWorker
from sentry_sdk.integrations import Integration
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.flask import FlaskIntegration
from sentry_sdk.integrations.rq import RqIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.types import Event, Hint

from services import logs

FLUSH_SECONDS = 2.0  # how long a process that ends waits for its last events
SENT_OF_JOB = ("job_id", "func", "enqueued_at", "started_at")
SENT_OF_REQUEST = ("method", "url")
# Each repetition has an end, as in `logs`.
EMAIL_ADDRESS = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")


def init(dsn: str | None, environment: str, *, release: str | None = None) -> None:
    """Report failures of this process to the Sentry project `dsn`; without one nothing is ever sent."""
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release,
        # Named one by one: the others record Redis commands, store queries, log lines and requests sent.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=_integrations(),
        before_send=clean,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        shutdown_timeout=FLUSH_SECONDS,
    )


def capture(error: BaseException, **tags: str) -> None:
    """Report an error that we answer ourselves, so that no integration sees it."""
    with sentry_sdk.new_scope() as scope:
        scope.set_tags(tags)
        scope.capture_exception(error)


def flush(timeout: float = FLUSH_SECONDS) -> None:
    """Send what is waiting, for `timeout` seconds at most. Call it before a process ends by `os._exit`."""
    sentry_sdk.flush(timeout)


def clean(event: Event, _hint: Hint) -> Event:
    """The event without payloads, requests' contents, credentials and e-mail addresses."""
    kept: dict[str, Any] = dict(event)
    kept.pop("user", None)
    kept["extra"] = _only(SENT_OF_JOB, kept.get("extra", {}).get("rq-job"))
    kept["request"] = _without_query(_only(SENT_OF_REQUEST, kept.get("request")))
    cleaned: Event = _without_addresses(logs.redacted(kept))
    return cleaned


def _only(names: tuple[str, ...], values: dict[str, Any] | None) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values} if values else {}


def _without_query(request: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value).split("?")[0] for name, value in request.items()}


def _without_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return EMAIL_ADDRESS.sub("[e-mail address]", value)
    if isinstance(value, dict):
        return {name: _without_addresses(item) for name, item in value.items()}
    return [_without_addresses(item) for item in value] if isinstance(value, list) else value


def _integrations() -> list[Integration]:
    return [
        AtexitIntegration(callback=lambda _pending, _timeout: None),  # flushes; its default prints to stderr
        ExcepthookIntegration(),
        ThreadingIntegration(),
        DedupeIntegration(),
        FlaskIntegration(),
        TaggedRqIntegration(),
    ]


class TaggedRqIntegration(RqIntegration):
    """Sentry's own, whose events it makes only when no retry is left, with our tags.

    It hooks RQ's BaseWorker, so that every kind of worker reports: ours, `rq worker`, SimpleWorker.
    """

    @staticmethod
    def setup_once() -> None:
        RqIntegration.setup_once()
        tagged = _tagging(BaseWorker.handle_exception)
        BaseWorker.handle_exception = tagged  # type: ignore[method-assign]  # as Sentry's own does


def _tagging(handle_exception: Callable[..., Any]) -> Callable[..., Any]:
    def tagged(worker: BaseWorker, job: Job, *exc_info: Any) -> Any:
        with sentry_sdk.new_scope() as scope:
            scope.set_tags(_tags(job))
            return handle_exception(worker, job, *exc_info)

    return tagged


def _tags(job: Job) -> dict[str, str | None]:
    tags: dict[str, str | None] = {"queue": job.origin, "job": _function(job), "job_id": job.id}
    for name in ("workspace", "event", "correlation"):
        if value := job.meta.get(f"{name}_id"):
            tags[name] = str(value)
    return tags


def _function(job: Job) -> str:
    try:
        return str(job.func_name)
    except DeserializationError:  # then this is the failure: it must not get in the way of its report
        return "unreadable"
