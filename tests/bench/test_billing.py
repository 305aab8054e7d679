"""The meter counts what others send, as a request-billed Redis does, and nothing of its own."""

from __future__ import annotations

import config
from bench.billing import Meter
from queues.connection import redis


def meter() -> Meter:
    return Meter(config.settings().redis_location)


def test_commands_inside_scripts_and_transactions_are_billed(clean_redis: None) -> None:
    counted = meter()
    redis().eval("redis.call('SET', 'a', 1); return redis.call('GET', 'a')", 0)
    with redis().pipeline() as pipeline:
        pipeline.get("a")
        pipeline.execute()

    bill = counted.bill()
    assert bill.by_command == {"eval": 1, "set": 1, "get": 2, "multi": 1, "exec": 1}
    assert bill.round_trips == 2


def test_the_meters_own_commands_are_not_billed(clean_redis: None) -> None:
    counted = meter()
    counted.ask("EVAL", "return redis.call('GET', 'a')", 0, inside={"get": 1})

    assert counted.bill().commands == 0
    assert counted.bill().round_trips == 0


def test_a_bill_begins_where_the_meter_was_started(clean_redis: None) -> None:
    counted = meter()
    redis().set("a", 1)
    counted.start()
    redis().get("a")

    assert counted.bill().by_command == {"get": 1}
