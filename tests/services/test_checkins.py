"""Check-ins of scheduled jobs, read from the envelopes that a real process sent over a socket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.sentry_sink import SentrySink

SCRIPT = """
import sys
from services import checkins, sentry
sentry.init(sys.argv[1] or None, "test")
checkins.begin("nightly", "nightly-20260601T0200", "0 2 * * *", "Europe/Berlin")
checkins.begin("nightly", "nightly-20260601T0200", "0 2 * * *", "Europe/Berlin")  # tried again
checkins.end("nightly", "nightly-20260601T0200", is_ok=sys.argv[2] == "ok", seconds=1.5)
sentry.flush()
"""

RUN = """
import sys
from datetime import UTC, datetime
import config
from jobs import runner
from models import store
from services import sentry
sentry.init(sys.argv[1], "test")
store.connect(config.settings().mongodb_uri.get_secret_value())
due = datetime(2026, 6, 1, 12, tzinfo=UTC)
runner.run("stale-deal-alert", due.isoformat())
sentry.flush()
"""


@pytest.fixture
def sink() -> Iterator[SentrySink]:
    with SentrySink() as sink:
        yield sink


def checked_in(sink: SentrySink, *args: str, script: str = SCRIPT) -> list[dict[str, Any]]:
    subprocess.run([sys.executable, "-c", script, *args], check=True, timeout=30)
    items = [json.loads(line) for envelope in sink.envelopes for line in envelope.splitlines() if line]
    return [item for item in items if "check_in_id" in item]


@pytest.mark.parametrize(("end", "status"), [("ok", "ok"), ("broken", "error")])
def test_a_run_checks_in_once_however_often_it_is_tried(sink: SentrySink, end: str, status: str) -> None:
    first, again, last = checked_in(sink, sink.dsn, end)
    assert len({first["check_in_id"], again["check_in_id"], last["check_in_id"]}) == 1
    assert [first["status"], again["status"], last["status"]] == ["in_progress", "in_progress", status]
    assert last["duration"] == 1.5
    assert first["monitor_slug"] == "nightly"
    assert first["monitor_config"]["schedule"] == {"type": "crontab", "value": "0 2 * * *"}
    assert first["monitor_config"]["timezone"] == "Europe/Berlin"


def test_without_a_project_nothing_is_sent(sink: SentrySink) -> None:
    assert checked_in(sink, "", "ok") == []


@pytest.mark.usefixtures("stores")
def test_a_scheduled_run_checks_in_and_out(sink: SentrySink) -> None:
    first, last = checked_in(sink, sink.dsn, script=RUN)
    assert first["check_in_id"] == last["check_in_id"]
    assert [first["monitor_slug"], first["status"], last["status"]] == [
        "stale-deal-alert",
        "in_progress",
        "ok",
    ]
