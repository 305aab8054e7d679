"""A rate is taken from the moment at which every worker is warm."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import ledger
from bench.ledger import WARM_UP, Entry


def test_the_rate_begins_when_the_last_worker_is_warm() -> None:
    alone = [Entry("0", at * 0.5) for at in range(WARM_UP)]
    joined = [Entry("1", 100 + at * 0.1) for at in range(WARM_UP + 10)]

    assert ledger.rate(alone + joined, workers=2) == pytest.approx(10)


def test_there_is_no_rate_while_a_worker_has_not_come() -> None:
    assert ledger.rate([Entry("0", at * 0.5) for at in range(100)], workers=2) is None


def test_entries_are_read_in_order_of_time(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    file.write_text("1 2000000000\n0 1000000000\n")

    assert ledger.read(file) == [Entry("0", 1.0), Entry("1", 2.0)]
    assert ledger.length(file) == 2
