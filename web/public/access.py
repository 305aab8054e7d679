"""Who may use the public API: the origins of a workspace's allow-list, so many requests a minute.

Real requests are checked against their own workspace by the routes. A preflight does not say which workspace
it is about: it is answered when any workspace allows its origin. Requests without an Origin come from servers
and are allowed.

Credentials: beacons always send them, so a preflight must allow them or browsers drop the beacon. That gives
nothing away: no public route reads or sets a cookie.
"""

from __future__ import annotations

import time
from functools import lru_cache

import limits
from bson import ObjectId
from flask import Flask, Response, request
from werkzeug.exceptions import Forbidden, NotFound

import config
from models.store import StoreError
from models.workspace import Workspace
from web.public.rate_limit import RateLimiter
from web.public.recent import Recent

PREFIX = "/api/public/"
KEPT_SECONDS = 60  # how long we remember whether some workspace allows an origin
KEPT_ORIGINS = 1_024
PREFLIGHT_SECONDS = 600  # how long a browser may keep a preflight's answer
NEEDED = ("allowed_origins", "needs_consent", "has_refusals")  # of a workspace
FOREIGN = "Origin: pages of this origin may not use this workspace; add it to the allow-list"


class Gate:
    """What every public request passes, whichever route it is for."""

    def __init__(self, requests_per_minute: int) -> None:
        self._limiter = RateLimiter(limits.RateLimitItemPerMinute(requests_per_minute))
        self._known = lru_cache(maxsize=KEPT_ORIGINS)(lambda origin, _period: Workspace.any_allows(origin))

    def open(self) -> Response | None:
        """Before the route: refuse too many requests, answer preflights."""
        if not request.path.startswith(PREFIX):
            return None
        is_preflight = request.method == "OPTIONS"
        # Counted apart: preflights are the browser's, and do not eat up what the page may send.
        self._limiter.hit(request.remote_addr, "preflight" if is_preflight else "request")
        return self._preflight() if is_preflight else None

    def close(self, response: Response) -> Response:
        """After the route, errors included: the headers that let a page read the answer."""
        if not request.path.startswith(PREFIX):
            return response
        response.vary.add("Origin")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        origin = request.headers.get("Origin")
        if origin and self._may_read(origin, response.status_code):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response

    def _preflight(self) -> Response:
        if not self._is_known(request.headers.get("Origin", "")):
            raise Forbidden(FOREIGN)
        headers = {
            "Access-Control-Allow-Methods": "POST, PUT, OPTIONS",
            "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key",
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        }
        return Response(status=204, headers=headers)

    def _may_read(self, origin: str, status: int) -> bool:
        """A success was checked by its route. An error may be read from wherever some workspace has pages."""
        if status < 400:
            return True
        try:
            return self._is_known(origin) if status != 503 else True
        except StoreError:  # then the answer says no more than that
            return True

    def _is_known(self, origin: str) -> bool:
        return bool(self._known(origin.lower(), time.monotonic() // KEPT_SECONDS))


def init_app(app: Flask) -> None:
    gate = Gate(config.settings().public_requests_per_minute)
    app.before_request(gate.open)
    app.after_request(gate.close)


def admits(workspace: Workspace) -> bool:
    """Whether the workspace allows the request's origin."""
    origin = request.headers.get("Origin")
    return origin is None or workspace.allows_origin(origin)


def workspaces(ids: set[ObjectId]) -> dict[ObjectId, Workspace]:
    """Those that exist, by id, with the fields NEEDED. One query."""
    return {found.id: found for found in Workspace.objects(id__in=list(ids)).only(*NEEDED)}


# For the tracked visits of every page: a change of a workspace's settings holds for them that much later.
recent_workspaces = Recent(workspaces, seconds=5, most=10_000)


def check(workspace_id: ObjectId) -> Workspace:
    """The workspace. Raises the HTTP error when it does not exist or does not allow the request's origin."""
    workspace = workspaces({workspace_id}).get(workspace_id)
    if workspace is None:
        raise NotFound("workspaceId: no such workspace")
    if not admits(workspace):
        raise Forbidden(FOREIGN)
    return workspace
