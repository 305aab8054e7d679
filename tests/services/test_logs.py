"""Log lines as a person or a program reads them, written to a real stderr."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from services import logs, sentry

SECRET = "s3cr3t-9d1e"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configuration)


in_both_formats = pytest.mark.parametrize("log_format", ["console", "json"])


@in_both_formats
@pytest.mark.parametrize(
    "facts",
    [
        {"password": SECRET},
        {"imap_password": SECRET},
        {"Authorization": f"Bearer {SECRET}"},
        {"headers": {"X-Api-Key": SECRET, "cookie": SECRET}},
        {"accounts": [{"refresh_token": SECRET}]},
        {"sentry_dsn": SECRET},
        {"passphrase": SECRET, "credentials": [SECRET], "private_key": SECRET, "encryption_keys": SECRET},
        {"url": f"redis://user:{SECRET}@host:6379/0"},
        {"url": f"redis://:{SECRET}@host"},
        {"url": f"mongodb://user:{SECRET}@half@host/db"},  # an @ that was not quoted
        {"urls": [f"amqp://u:{SECRET}@h"]},
        {"error": ConnectionError(f"no answer from redis://:{SECRET}@host")},
        {"error": f"x [type=int_type, input_value='{SECRET}', input_type=str]"},
    ],
)
def test_a_secret_never_reaches_a_log_line(
    facts: dict[str, object], log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(log_format, "INFO")
    structlog.get_logger().info("connecting", **facts)

    line = capsys.readouterr().err
    assert "connecting" in line
    assert SECRET not in line
    assert "[hidden]" in line


@in_both_formats
def test_a_traceback_shows_no_credentials_and_no_local_variables(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(log_format, "INFO")
    try:
        body = f"Dear {SECRET}"
        raise ConnectionError("no answer from redis://:" + body[-len(SECRET) :] + "@host")
    except ConnectionError:
        structlog.get_logger().exception("broken")
        logging.getLogger("somebody.else").exception("broken too")

    output = capsys.readouterr().err
    assert output.count("ConnectionError: no answer") == 2
    assert SECRET not in output


@in_both_formats
def test_lines_of_other_libraries_are_cleaned_too(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(log_format, "INFO")
    logging.getLogger("somebody.else").warning("retrying %s", f"redis://u:{SECRET}@h")

    line = capsys.readouterr().err
    assert "retrying redis://u:[hidden]@h" in line


@in_both_formats
def test_harmless_values_stay_as_they_are(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(log_format, "INFO")
    structlog.get_logger().info(
        "synced", url="https://host:8080/path", address="grace@navy.test", count=3, ids=["a", 1]
    )

    line = capsys.readouterr().err
    assert all(text in line for text in ("synced", "https://host:8080/path", "grace@navy.test", "3"))


def test_json_lines_are_one_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "INFO")
    with structlog.contextvars.bound_contextvars(job_id="j1"):
        structlog.get_logger().info("✅ job done\nreally", ms=1.5)
    structlog.get_logger().info("next")

    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first["job_id"], first["ms"]) == (
        "✅ job done\nreally",
        "info",
        "j1",
        1.5,
    )
    assert first["timestamp"].endswith("Z")
    assert "job_id" not in second


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("console", "WARNING")
    structlog.get_logger().info("too quiet")
    logging.getLogger("somebody.else").info("too quiet")
    structlog.get_logger().warning("loud enough")

    output = capsys.readouterr().err
    assert "too quiet" not in output
    assert "loud enough" in output


def test_what_came_from_outside_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("console", "INFO")
    structlog.get_logger().info("from \x1b]0;outside\x07", name="\x1b[2J\x9b31m")
    try:
        raise ValueError("\x1b[2J\tGrace")
    except ValueError:
        logging.getLogger("somebody.else").exception("\x1bcbroken")

    output = capsys.readouterr().err
    assert not {"\x1b", "\x07", "\x9b"} & set(output)
    assert all(text in output for text in ("outside", "name=", "broken", "\tGrace"))


@pytest.mark.parametrize("text", ["://:", "input_value=", "a", "a@b.", "x://u:p", "input_value=x, input_typ"])
def test_a_long_text_is_cleaned_in_no_time(text: str) -> None:
    started = time.process_time()
    sentry.clean({"message": text * (100_000 // len(text))}, {})
    assert time.process_time() - started < 2  # seconds; without limits it took minutes
