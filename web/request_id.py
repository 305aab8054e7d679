"""Each request has an id: on its answer, on its log lines, and as the correlation id of what it brings about.

A client or a proxy may give it as `X-Request-ID`; one that could not stand in a log line is replaced.
"""

from __future__ import annotations

import re
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

HEADER = "X-Request-ID"
FIT = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def init_app(app: Flask) -> None:
    """To be called before the other parts: their lines and refusals have the id too."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if FIT.fullmatch(given) else uuid4().hex
    structlog.contextvars.bind_contextvars(correlation_id=g.request_id)


def _end(response: Response) -> Response:
    structlog.contextvars.unbind_contextvars("correlation_id")
    response.headers[HEADER] = g.request_id
    return response
