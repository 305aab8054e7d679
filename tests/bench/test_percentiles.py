"""Percentiles are values that were measured, and one disturbed round decides nothing."""

from __future__ import annotations

import pytest

from bench.percentiles import middle, percentile, spread

HUNDRED = [float(value) for value in range(100, 0, -1)]


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (95, 95), (99, 99), (100, 100)])
def test_a_percentile_is_the_sample_of_nearest_rank(percent: float, value: float) -> None:
    assert percentile(HUNDRED, percent) == value


def test_of_one_sample_each_percentile_is_that_sample() -> None:
    one = spread([7.0])

    assert (one.p50, one.p95, one.p99, one.max, one.samples) == (7, 7, 7, 7, 1)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_a_disturbed_round_does_not_move_the_middle() -> None:
    disturbed = [value * 100 for value in HUNDRED]

    assert middle([spread(HUNDRED), spread(disturbed), spread(HUNDRED)]).p99 == 99
    assert middle([spread(HUNDRED), spread(HUNDRED)]).samples == 200
