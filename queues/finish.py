"""Finish a job that succeeded: one script call, sent along with the next claim."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rq.defaults import DEFAULT_RESULT_TTL
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, Execution
from rq.job import Job as RqJob
from rq.job import Retry
from rq.registry import FinishedJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.utils import utcformat

from queues.scripts import Call

FINISHED, NOT_OURS = 1, 0


def is_plain(job: RqJob, return_value: Any) -> bool:
    """Whether nothing but its result is to be recorded; all else takes RQ's own way."""
    return not (
        isinstance(return_value, Retry)
        or job._success_callback_name
        or job.webhooks
        or job.repeats_left
        or job.group_id
        or job.rate_limit_key
    )


def call(worker_key: str, job: RqJob, execution: Execution, started_at: datetime, ended_at: datetime) -> Call:
    """The script call for a job that has its result; replies FINISHED or NOT_OURS.

    Safe to repeat: an execution is finished once.
    """
    keep = job.get_result_ttl(DEFAULT_RESULT_TTL)
    return Call(
        "finish",
        keys=[
            StartedJobRegistry.key_template.format(job.origin),
            FinishedJobRegistry.key_template.format(job.origin),
            worker_key,
            WORKER_EXECUTIONS_KEY_TEMPLATE.format(execution.worker_name),
        ],
        args=[
            job.id,
            execution.id,
            utcformat(started_at),
            utcformat(ended_at),
            (ended_at - started_at).total_seconds(),
            keep,
            int(ended_at.timestamp()) + keep if keep >= 0 else "+inf",
            *_result_fields(job, execution, ended_at),
        ],
    )


def _result_fields(job: RqJob, execution: Execution, ended_at: datetime) -> list[Any]:
    result = Result(
        job.id,
        Result.Type.SUCCESSFUL,
        job.connection,
        return_value=job._result,
        worker_name=execution.worker_name,
        serializer=job.serializer,
        execution_id=execution.id,
        execution_started_at=execution.created_at,
        execution_ended_at=ended_at,
    )
    return [part for pair in result.serialize().items() for part in pair]
