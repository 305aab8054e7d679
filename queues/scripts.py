"""Run the Lua scripts of queues/lua/: several calls in one round trip.

A line `-- include name` stands for the file of that name: Redis knows no libraries before version 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError, ReadOnlyError

FOLDER = Path(__file__).parent / "lua"
INCLUDE = re.compile(r"^-- include (\w+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the script `queues/lua/<name>.lua`."""

    name: str
    keys: Sequence[str]
    args: Sequence[Any]


def run(connection: Redis, *calls: Call) -> list[Any]:
    """Run the calls in order, in one round trip; returns their replies. Raises `RedisError`."""
    return replies(connection, calls, partial(_send, connection))


def replies(client: Redis, calls: Sequence[Call], send: Callable[[Sequence[Call]], list[Any]]) -> list[Any]:
    """The replies to the calls, which `send` puts on the wire.

    A Redis that does not know a script (new, or after SCRIPT FLUSH) is taught it, and only the calls that
    it refused are made again.
    """
    answers = send(calls)
    refused = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if refused:
        for name in {calls[place].name for place in refused}:
            client.script_load(script(name, client).script)
        for place, answer in zip(refused, send([calls[p] for p in refused]), strict=True):
            answers[place] = answer
    for answer in answers:
        if isinstance(answer, Exception):
            _leave_replica(client, answer)
            raise answer
    return answers


def is_of_replica(error: Exception) -> bool:
    """Redis 7 says so by the error's class; 6.2 within a script's own error."""
    return isinstance(error, ReadOnlyError) or "READONLY" in str(error)


def _leave_replica(connection: Redis, error: Exception) -> None:
    """After a failover our connections may lead to what is a replica now: the next call makes new ones."""
    if is_of_replica(error):
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
    """The script's text, with what it includes; each file once."""
    return _with_includes(name, set())


def _with_includes(name: str, seen: set[str]) -> str:
    if name in seen:
        return ""
    seen.add(name)
    return INCLUDE.sub(lambda found: _with_includes(found[1], seen), (FOLDER / f"{name}.lua").read_text())
