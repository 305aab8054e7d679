"""The mark in Redis that tells how much of what it was told is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import RedisError

from queues import keys
from queues.connection import redis
from queues.mark import mark
from sandbox.process import Server

pytestmark = pytest.mark.usefixtures("clean_redis")

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_mark_is_found_where_it_was_placed_and_moves() -> None:
    with mark() as own:
        assert own.look().mark is None
        own.place(NOON)
        assert own.look().mark == NOON
        assert own.move(NOON + timedelta(hours=1))
    with mark() as another:
        assert another.look().mark == NOON + timedelta(hours=1)


def test_a_mark_that_is_gone_is_not_moved() -> None:
    with mark() as own:
        own.place(NOON)
        redis().flushall()
        assert not own.move(NOON + timedelta(hours=1))
    assert redis().exists(keys.MARK) == 0


def test_a_server_is_the_same_until_it_starts_anew(redis_process: Server) -> None:
    def server() -> str | None:
        with mark() as own:
            return own.look().server

    first = server()
    assert first
    assert server() == first
    redis_process.kill()
    redis_process.start()
    assert server() not in (first, None)


def test_a_server_that_took_the_place_of_the_one_looked_at_is_told_nothing(redis_process: Server) -> None:
    with mark() as own:
        own.place(NOON)
        own.look()
        redis_process.stop()
        redis_process.start()
        with pytest.raises(RedisError):
            own.move(NOON + timedelta(hours=1))
    assert redis().get(keys.MARK) == NOON.isoformat().encode()
