"""The Lua scripts of queues/lua/, each registered once per client."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from redis import Redis
from redis.commands.core import Script

FOLDER = Path(__file__).parent / "lua"


@cache
def _source(name: str) -> str:
    return (FOLDER / f"{name}.lua").read_text()


@cache
def script(name: str, connection: Redis) -> Script:
    """The script of that name: called with keys and args it costs one EVALSHA."""
    return connection.register_script(_source(name))
