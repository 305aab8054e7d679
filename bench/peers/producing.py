"""The command line of a peer's file: enqueue N jobs, print the seconds."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

WARM = 5  # jobs enqueued before the clock starts: connections, imports


def produce(enqueue: Callable[[], object]) -> None:
    number = int(sys.argv[-1])
    for _ in range(WARM):
        enqueue()
    started = time.perf_counter()
    for _ in range(number - WARM):
        enqueue()
    print((time.perf_counter() - started) * number / (number - WARM))


def produce_async(connect: Callable[[], Awaitable[object]], enqueue: Callable[[], Awaitable[object]]) -> None:
    async def all_of_them() -> None:
        await connect()
        number = int(sys.argv[-1])
        for _ in range(WARM):
            await enqueue()
        started = time.perf_counter()
        for _ in range(number - WARM):
            await enqueue()
        print((time.perf_counter() - started) * number / (number - WARM))

    asyncio.run(all_of_them())
