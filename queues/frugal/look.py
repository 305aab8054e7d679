"""The look for what rings no bell: one script call (see lua/frugal_look.lua)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from redis import Redis

from queues import times
from queues.claim import STALLED_RESULT
from queues.clock import moment
from queues.scripts import Call, run

Scope = Literal["delayed", "all", "workers"]  # each holds what the one before it does
_SCOPES = {"delayed": "", "all": "all", "workers": "workers"}


@dataclass(frozen=True)
class Seen:
    quarantined: list[str]  # ids of jobs that are dead letters now, since their workers died twice
    paused: set[str]
    has_other_workers: bool  # known when dead workers were looked for
    has_ended_jobs: bool  # known likewise: some may be too old or too many
    due: dict[str, float]  # queue -> Unix time of its next delayed job


def look(connection: Redis, worker_name: str, scope: Scope, queues: Sequence[str]) -> Seen:
    """Put back what is due or was left by dead workers, and ring for what waits in silence."""
    now = moment()
    args = [now.timestamp(), times.text(now), worker_name, STALLED_RESULT, _SCOPES[scope], *queues]
    quarantined, paused, has_others, has_ended, *due = run(connection, Call("frugal_look", (), args))[0]
    return Seen(
        quarantined=_texts(quarantined),
        paused=set(_texts(paused)),
        has_other_workers=bool(has_others),
        has_ended_jobs=bool(has_ended),
        due=dict(zip(_texts(due[::2]), map(float, due[1::2]), strict=True)),
    )


def put_back_unreadable(connection: Redis, taken: str) -> list[str]:
    """Put back what stands in a slot's list; returns ids of quarantined jobs."""
    now = moment()
    args = [now.timestamp(), times.text(now), taken, STALLED_RESULT]
    return _texts(run(connection, Call("frugal_return", (), args))[0])


def _texts(found: Sequence[Any]) -> list[str]:
    return [each.decode() for each in found]
