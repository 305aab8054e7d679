"""rq-dashboard at /admin/queues, with its faults mended: see `guard` for who gets here.

It is handed our client and our job class, so it reads and writes JSON only, and shows no password. What it
does unsafely, `dashboard_views` does under its addresses.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import rq_dashboard.web as theirs
from flask import Flask, redirect, request
from rq import Worker
from rq.serializers import JSONSerializer
from werkzeug.wrappers import Response as BaseResponse

import config
from queues.connection import redis
from queues.job import Job
from queues.names import BY_PRIORITY
from queues.register import register_queues
from web.admin import dashboard_views, guard

PREFIX = "/admin/queues"
POLL = 15_000  # milliseconds between two looks of an open page; its own 2,500 cost 75,000 commands an hour
LONGEST_PAGE = 200  # jobs
LAST_PAGE = 1_000_000  # beyond any queue, and within what Redis takes for a number


class JsonWorker(Worker):
    """RQ's worker record, whose current job is read as JSON."""

    job_class = Job


def init_app(app: Flask) -> None:
    _hand_over_ours()
    app.config.update(RQ_DASHBOARD_REDIS_URL=[location()], RQ_DASHBOARD_POLL_INTERVAL=POLL)
    theirs.setup_rq_connection(app)
    app.register_blueprint(theirs.blueprint, url_prefix=PREFIX)
    for name, view in dashboard_views.MENDED.items():
        app.view_functions[f"rq_dashboard.{name}"] = view
    app.before_request(_check_address)


def _hand_over_ours() -> None:
    theirs.config.serializer = JSONSerializer
    theirs.Job, theirs.Worker = Job, JsonWorker  # else it would unpickle what it finds in Redis
    theirs.get_queue_registry_jobs_count = dashboard_views.page_of_jobs
    theirs.serialize_current_job = dashboard_views.current_job
    theirs.from_url = lambda *_args, **_options: (None, redis())


def location() -> str:
    """Where Redis is, without user and password: for the page."""
    url = urlsplit(config.settings().redis_location)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"


def _check_address() -> BaseResponse | None:
    if request.blueprint != "rq_dashboard" or request.endpoint == "rq_dashboard.static":
        return None
    arguments = request.view_args or {}
    if request.endpoint == "rq_dashboard.requeue_all" and request.method != "POST":
        return guard.problem(405, "requeueing is a change: POST it")
    if not _is_known(arguments):
        return guard.problem(404, "there is no such page")
    if request.endpoint in ("rq_dashboard.queues_overview", "rq_dashboard.jobs_overview"):
        register_queues(redis())
    if request.endpoint == "rq_dashboard.jobs_overview" and arguments["queue_name"] is None:
        # Its own default is a queue that is not ours.
        return redirect(dashboard_views.jobs_url(BY_PRIORITY[0], "queued"))
    return None


def _is_known(arguments: dict[str, Any]) -> bool:
    """What it would answer with an error 500 is no page of ours."""
    return (
        arguments.get("instance_number", 0) == 0
        and arguments.get("registry_name", "queued") in dashboard_views.REGISTRIES
        and arguments.get("order", "asc") in ("asc", "dsc")
        and _is_within(arguments.get("per_page", 1), LONGEST_PAGE)
        and _is_within(arguments.get("page", 1), LAST_PAGE)
    )


def _is_within(number: int | str, most: int) -> bool:
    digits = str(number)
    return digits.isdecimal() and len(digits) <= len(str(most)) and 1 <= int(digits) <= most
