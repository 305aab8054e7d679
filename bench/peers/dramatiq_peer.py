"""dramatiq with its Redis broker, results kept in Redis."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from bench import jobs
from bench.peers import producing

broker = RedisBroker(url=os.environ["REDIS_URL"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["REDIS_URL"])))
dramatiq.set_broker(broker)
noop = dramatiq.actor(jobs.noop, store_results=True)

if __name__ == "__main__":
    # The worker knows the actor by its name, the queue by the module that it loads: both are the same here.
    producing.produce(lambda: noop.send(jobs.PAYLOAD))
