"""What reaches Sentry, read from the envelopes that a real process sent over a socket."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from queues.enqueue import NewJob, enqueue
from sandbox.sentry_sink import SentrySink
from services import sentry
from tests.services.reporting import PLANTED
from tests.waiting import wait_until

WORKSPACE = "5f0c0ffee0c0ffee0c0ffee0"


@pytest.fixture
def sink(clean_redis: None) -> Iterator[SentrySink]:
    with SentrySink() as sink:
        yield sink


def run(way: str, *dsn: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.services.reporting", way, *dsn]
    return subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)


def only_event(sink: SentrySink) -> dict[str, Any]:
    events = sink.events()
    assert len(events) == 1, [event.get("exception") for event in events]
    return events[0]


def test_a_job_that_fails_on_each_try_makes_one_event_with_its_tags(sink: SentrySink) -> None:
    output = run("job_fails", sink.dsn).stderr
    assert output.count("job failed") == 3

    event = only_event(sink)
    assert event["tags"] == {
        "queue": "crm-events",
        "job": "tests.services.reporting.fail",
        "job_id": "doomed",
        "workspace": WORKSPACE,
        "event": "e1",
        "correlation": "c1",
    }
    assert (event["environment"], event["release"]) == ("test", "0.1.0")
    assert event["exception"]["values"][-1]["type"] == "RuntimeError"


def test_no_payload_variable_credential_or_address_is_sent(sink: SentrySink) -> None:
    run("job_fails", sink.dsn)

    only_event(sink)
    assert all(PLANTED.encode() not in envelope for envelope in sink.envelopes)
    message = only_event(sink)["exception"]["values"][-1]["value"]
    assert message == "no answer from redis://user:[hidden]@localhost/0 for [e-mail address]"


def test_a_permanent_failure_is_reported_at_its_first_try(sink: SentrySink) -> None:
    output = run("job_fails_for_good", sink.dsn).stderr
    assert output.count("job failed") == 1

    assert only_event(sink)["exception"]["values"][-1]["type"] == "Hopeless"


def test_a_job_that_cannot_be_read_is_reported_without_its_data(sink: SentrySink) -> None:
    run("job_is_unreadable", sink.dsn)

    assert only_event(sink)["tags"]["job"] == "unreadable"
    assert all(PLANTED.encode() not in envelope for envelope in sink.envelopes)


def test_a_process_that_ends_abruptly_sends_its_event_first(sink: SentrySink) -> None:
    assert run("job_fails_and_process_dies", sink.dsn).returncode == 3

    assert only_event(sink)["tags"]["job_id"] == "doomed"


def test_what_is_reported_at_the_last_moment_is_sent_too(sink: SentrySink) -> None:
    assert run("error_just_before_death", sink.dsn).returncode == 3

    assert only_event(sink)["exception"]["values"][-1]["value"] == "at the last moment"


def test_a_failing_request_makes_one_event_without_its_contents(sink: SentrySink) -> None:
    process = run("request_fails", sink.dsn)
    assert process.returncode == 0, process.stderr

    event = only_event(sink)
    assert event["exception"]["values"][-1]["value"] == "the view broke"
    assert event["request"] == {"method": "POST", "url": "http://localhost/break"}
    assert all(PLANTED.encode() not in envelope for envelope in sink.envelopes)


@pytest.mark.parametrize("way", ["thread_fails", "process_fails"])
def test_a_crash_outside_of_jobs_makes_one_event_without_secrets(sink: SentrySink, way: str) -> None:
    run(way, sink.dsn)

    assert only_event(sink)["exception"]["values"][-1]["type"] == "RuntimeError"
    assert all(PLANTED.encode() not in envelope for envelope in sink.envelopes)


def test_without_a_dsn_nothing_is_sent(sink: SentrySink) -> None:
    assert "job failed" in run("job_fails").stderr

    assert sink.envelopes == []


def test_an_absent_sentry_holds_up_nobody(sink: SentrySink) -> None:
    dsn = sink.dsn.replace(sink.dsn.rsplit(":", 1)[1], "1/1")  # port 1: nobody listens

    assert run("job_fails_and_process_dies", dsn).returncode == 3


def test_what_pydantic_refused_is_not_sent() -> None:
    text = f"1 validation error\nbody\n  wrong [type=int, input_value='{PLANTED}', input_type=str]"
    event = sentry.clean({"exception": {"values": [{"value": text}]}}, {})  # type: ignore[typeddict-item]

    assert PLANTED not in str(event)
    assert "input_type=str" in str(event)


def test_our_own_worker_reports_a_failing_job_once(sink: SentrySink) -> None:
    environment = {**os.environ, "SENTRY_DSN": sink.dsn, "SENTRY_ENVIRONMENT": "staging"}
    process = subprocess.Popen([sys.executable, "worker.py"], env=environment, stderr=subprocess.DEVNULL)
    try:
        meta = {"workspace_id": WORKSPACE, "event_id": "e1"}
        func = "tests.services.reporting.fail_for_good"
        enqueue(NewJob("analytics", func, "doomed", {"text": PLANTED}, "doomed", meta))
        wait_until(sink.events, timeout=30, what="the event")
    finally:
        process.terminate()
        process.wait(30)

    event = only_event(sink)
    assert (event["tags"]["queue"], event["tags"]["workspace"]) == ("analytics", WORKSPACE)
    assert event["environment"] == "staging"
    assert all(PLANTED.encode() not in envelope for envelope in sink.envelopes)
