"""Pause a queue: its jobs wait, running ones end, new ones are accepted. Known to all workers at once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rq.utils import as_text

from queues import keys
from queues.connection import redis
from queues.names import options


@dataclass(frozen=True)
class Pause:
    """Who paused a queue, when (ISO 8601, UTC) and why."""

    by: str
    at: str
    reason: str


def pause(queue: str, *, by: str, reason: str) -> bool:
    """Pause it; False when it was paused already, which is left as it is. Raises `UnknownQueue`."""
    entry = Pause(by, datetime.now(UTC).isoformat(timespec="seconds"), reason)
    is_new = bool(redis().hsetnx(keys.PAUSED, options(queue).name, json.dumps(asdict(entry))))
    _tell_frugal_workers()
    return is_new


def resume(queue: str) -> bool:
    """Let it go on, at once; False when it was not paused. Raises `UnknownQueue`."""
    with redis().pipeline() as pipeline:
        pipeline.hdel(keys.PAUSED, options(queue).name)
        pipeline.rpush(keys.DOORBELL, "1")
        was_paused, _ = pipeline.execute()
    _tell_frugal_workers()
    return bool(was_paused)


def _tell_frugal_workers() -> None:
    """They read what is paused when they are told to; the others at each claim."""
    for name in redis().hkeys(keys.FRUGAL_WORKERS):
        redis().rpush(keys.own_bell_key(as_text(name)), "1")


def paused() -> dict[str, Pause]:
    """The paused queues by name."""
    stored = redis().hgetall(keys.PAUSED)
    return {as_text(name): Pause(**json.loads(entry)) for name, entry in stored.items()}
