"""SAQ with its Redis queue; results are kept for 600 s by default; the task is a coroutine."""

from __future__ import annotations

import os

from saq import Queue
from saq.types import Context

from bench import jobs
from bench.peers import producing

queue = Queue.from_url(os.environ["REDIS_URL"])


async def noop(_ctx: Context, *, payload: str) -> int:
    return jobs.noop(payload)


settings = {"queue": queue, "functions": [noop], "concurrency": 3}

if __name__ == "__main__":
    producing.produce_async(queue.connect, lambda: queue.enqueue("noop", payload=jobs.PAYLOAD))
