"""The doorbell's wait ends when it rings, when its time is over, or when it is interrupted."""

from __future__ import annotations

import time

import pytest

from queues.connection import redis
from queues.doorbell import Doorbell


@pytest.mark.parametrize("seconds", [0.0, 1e-6, 0.0005, 0.001, 0.05])
def test_a_short_wait_is_over_in_time(seconds: float, clean_redis: None) -> None:
    started = time.monotonic()

    assert not Doorbell(redis()).wait(seconds)
    assert time.monotonic() - started < 1


def test_a_bell_that_rang_before_ends_a_wait(clean_redis: None) -> None:
    Doorbell(redis()).ring()

    assert Doorbell(redis()).wait(30)
