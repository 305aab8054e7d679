"""The end of a run, one script call: `succeeded`, `failed`, `to_be_retried`. It goes with the next claim."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from datetime import datetime
from typing import Any, Literal

from rq.defaults import DEFAULT_FAILURE_TTL, DEFAULT_RESULT_TTL, UNSERIALIZABLE_RETURN_VALUE_PAYLOAD
from rq.results import Result

from queues import times
from queues.claim import Claimed
from queues.job import Job
from queues.scripts import Call

NOT_OURS = 0


def is_plain(job: Job) -> bool:
    """Whether nothing but its result is to be recorded; all else takes RQ's own way."""
    return not (
        job._success_callback_name
        or job._failure_callback_name
        or job._stopped_callback_name
        or job.webhooks
        or job.repeats_left
        or job.group_id
        or job.rate_limit_key
    )


def succeeded(claimed: Claimed, return_value: Any, ended_at: datetime) -> Call:
    """The script call for a job that has its result; replies NOT_OURS when its lock had lapsed.

    Safe to repeat: an execution ends once. The same holds for `failed`.
    """
    keep = claimed.job.get_result_ttl(DEFAULT_RESULT_TTL)
    result = _result(claimed, Result.Type.SUCCESSFUL, ended_at)
    if return_value is not None:
        result += ["return_value", b64encode(_encoded(return_value)).decode()]
    return Call("finish", (), [*_run(claimed, ended_at), keep, _lapse(ended_at, keep), *result])


def failed(
    claimed: Claimed,
    outcome: Literal["failed", "stopped"],
    error: str,
    ended_at: datetime,
) -> Call:
    """The script call for a job that becomes a dead letter, with all its retries again."""
    job = claimed.job
    keep = DEFAULT_FAILURE_TTL if job.failure_ttl is None else job.failure_ttl
    result = _result(claimed, Result.Type.FAILED, ended_at)
    result += ["exc_string", b64encode(zlib.compress(_text(error))).decode()]
    retries = len(job.retry_intervals or ())
    return Call(
        "fail", (), [*_run(claimed, ended_at), outcome, _lapse(ended_at, keep), keep, retries, *result]
    )


def to_be_retried(claimed: Claimed, due: float, ended_at: datetime) -> Call:
    """The script call for a job that is tried again, at the Unix time `due`; 0 is at once."""
    job = claimed.job
    error = zlib.compress(_text(job._exc_info or ""))
    return Call(
        "fail", (), [*_run(claimed, ended_at), "retry", f"{due:.3f}", 0, job.retries_left, "exc_info", error]
    )


def _run(claimed: Claimed, ended_at: datetime) -> list[Any]:
    job, execution = claimed.job, claimed.execution
    claimed.is_over = True  # before the look at is_shown: so whatever a heartbeat shows is removed
    return [
        job.id,
        execution.id,
        job.origin,
        execution.worker_name,
        "1" if claimed.is_shown else "",
        times.text(job.started_at or ended_at),
        times.text(ended_at),
    ]


def _result(claimed: Claimed, kind: Result.Type, ended_at: datetime) -> list[Any]:
    """The entry as `Result.serialize` makes it, without the latter's cost."""
    execution = claimed.execution
    return [
        *("type", kind.value, "worker_name", execution.worker_name, "execution_id", execution.id),
        *("execution_started_at", execution.created_at.timestamp()),
        *("execution_ended_at", ended_at.timestamp()),
    ]


def _encoded(return_value: Any) -> bytes:
    try:
        return json.dumps(return_value).encode()
    except (TypeError, ValueError, RecursionError):  # as RQ does: the job is done, whatever its result is
        return json.dumps(UNSERIALIZABLE_RETURN_VALUE_PAYLOAD).encode()


def _text(error: str) -> bytes:
    return error.encode(errors="backslashreplace")  # JSON can smuggle in half a character


def _lapse(ended_at: datetime, keep: int) -> int | str:
    return int(ended_at.timestamp()) + keep if keep >= 0 else "+inf"
