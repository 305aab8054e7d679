"""/healthz: the process is alive. /readyz: Redis, store, a worker and a scheduler answer, each named."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Flask, Response, jsonify

from models import store
from queues import heartbeats
from queues.connection import RedisError, redis

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    checks = {name: _state(check) for name, check in CHECKS.items()}
    ready = all(state == "ok" for state in checks.values())
    return jsonify(status="ok" if ready else "not ready", checks=checks), 200 if ready else 503


def _state(check: Callable[[], str | None]) -> str:
    try:
        return check() or "ok"
    except (RedisError, store.StoreError) as error:
        return f"away ({type(error).__name__})"


def _redis() -> None:
    redis().ping()


def _worker() -> str | None:
    return None if heartbeats.workers() else "no worker is registered; start one: python worker.py"


def _scheduler() -> str | None:
    return None if heartbeats.schedulers() else "no scheduler is registered; start one: python scheduler.py"


CHECKS: dict[str, Callable[[], str | None]] = {
    "redis": _redis,
    "store": store.ping,
    "worker": _worker,
    "scheduler": _scheduler,
}
