"""taskiq with its Redis list broker and result backend; the task is a coroutine."""

from __future__ import annotations

import os

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

from bench import jobs
from bench.peers import producing

broker = ListQueueBroker(os.environ["REDIS_URL"]).with_result_backend(
    RedisAsyncResultBackend(os.environ["REDIS_URL"])
)


@broker.task(task_name="noop")
async def noop(payload: str) -> int:
    return jobs.noop(payload)


if __name__ == "__main__":
    producing.produce_async(broker.startup, lambda: noop.kiq(jobs.PAYLOAD))
