"""Run the Lua scripts of queues/lua/: several calls in one round trip.

A line `-- include name` stands for the file of that name: Redis knows no libraries before version 7.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError

FOLDER = Path(__file__).parent / "lua"
INCLUDE = re.compile(r"^-- include (\w+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Call:
    """One call of the script `queues/lua/<name>.lua`."""

    name: str
    keys: Sequence[str]
    args: Sequence[Any]


def run(connection: Redis, *calls: Call) -> list[Any]:
    """Run the calls in order, in one round trip; returns their replies. Raises `RedisError`.

    A Redis that does not know a script (new, or after SCRIPT FLUSH) is taught it, and only the calls that
    it refused are made again.
    """
    replies = _send(connection, calls)
    refused = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if refused:
        for name in {calls[place].name for place in refused}:
            connection.script_load(script(name, connection).script)
        for place, reply in zip(refused, _send(connection, [calls[p] for p in refused]), strict=True):
            replies[place] = reply
    for reply in replies:
        if isinstance(reply, Exception):
            _leave_replica(connection, reply)
            raise reply
    return replies


def _leave_replica(connection: Redis, error: Exception) -> None:
    """After a failover our connections may lead to what is a replica now: the next call makes new ones."""
    if "READONLY" in str(error):
        connection.connection_pool.disconnect(inuse_connections=False)


def _send(connection: Redis, calls: Sequence[Call]) -> list[Any]:
    with connection.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.evalsha(script(call.name, connection).sha, len(call.keys), *call.keys, *call.args)
        return pipeline.execute(raise_on_error=False)


@cache
def script(name: str, connection: Redis) -> Script:
    """The script of that name, with its digest."""
    return connection.register_script(source(name))


@cache
def source(name: str) -> str:
    """The script's text, with what it includes."""
    text = (FOLDER / f"{name}.lua").read_text()
    return INCLUDE.sub(lambda found: source(found[1]), text)
