"""huey with its Redis storage (blocking pop, results kept), on threads."""

from __future__ import annotations

import os

from huey import RedisHuey

from bench import jobs
from bench.peers import producing

huey = RedisHuey("bench", url=os.environ["REDIS_URL"])
noop = huey.task(name="noop")(jobs.noop)

if __name__ == "__main__":
    producing.produce(lambda: noop(jobs.PAYLOAD))
