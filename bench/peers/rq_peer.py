"""RQ as it comes: its queue, its job class, its default (pickle) serializer, results kept for 500 s."""

from __future__ import annotations

import os

from redis import Redis
from rq import Queue

from bench.jobs import PAYLOAD, noop
from bench.peers import producing

if __name__ == "__main__":
    queue = Queue("bench", connection=Redis.from_url(os.environ["REDIS_URL"]))
    producing.produce(lambda: queue.enqueue(noop, PAYLOAD))
