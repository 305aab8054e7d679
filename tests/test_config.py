"""Settings: what is accepted, what is refused and how, and that no message shows a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis import Redis
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

import config
from queues import connection
from sandbox.process import Server

ROOT = Path(__file__).parents[1]
SECRET = "s3cr3t-value-4b1d"
PRODUCTION = {
    "SECRET_KEY": "k" * 32,
    "ADMIN_PASSWORD": "a password of our own",
    "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
}

Read = Callable[..., config.Settings]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    """Read the settings from exactly these variables."""

    def read(**environment: str) -> config.Settings:
        for name in config.Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        config.settings.cache_clear()
        return config.settings()

    yield read
    monkeypatch.undo()
    config.settings.cache_clear()


def refusal(read: Read, **environment: str) -> str:
    with pytest.raises(config.InvalidSettings) as refused:
        read(**environment)
    return str(refused.value)


def test_every_bad_value_is_named_at_once_with_what_would_be_right(read: Read) -> None:
    message = refusal(
        read,
        **PRODUCTION,
        REDIS_URL="localhost:6379",
        REDIS_PORT="many",
        MONGODB_URI="postgres://localhost/clianta",
        QUEUE_CONCURRENCY="0",
        QUEUE_MAX_JOBS_PER_SECOND="-1",
        JOBS_ENABLED="perhaps",
        TZ="Berlin",
        PORT="70000",
        LOG_FORMAT="xml",
        SENTRY_DSN="https://sentry.io/",
    )

    lines = {line.split(":")[0].strip(): line for line in message.splitlines()[1:]}
    expected = {
        "REDIS_URL": "redis:// or rediss://",
        "REDIS_PORT": "valid integer",
        "MONGODB_URI": "mongodb:// or mongodb+srv://",
        "QUEUE_CONCURRENCY": "greater than or equal to 1",
        "QUEUE_MAX_JOBS_PER_SECOND": "greater than or equal to 0",
        "JOBS_ENABLED": "valid boolean",
        "TZ": "Europe/Berlin",
        "PORT": "less than or equal to 65535",
        "LOG_FORMAT": "'console' or 'json'",
        "SENTRY_DSN": "https://key@host/42",
    }
    assert lines.keys() == expected.keys()
    assert [name for name, hint in expected.items() if hint not in lines[name]] == []


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("MONGODB_URI", "mongodb://localhost:27017", "mongodb://host/clianta"),
        ("MONGODB_URI", "mongodb+srv://host/?retryWrites=true", "mongodb://host/clianta"),
        ("REDIS_URL", f"redis://:{SECRET}/x@host:6379", "%2F"),
        ("REDIS_URL", f"redis://:{SECRET}@host:6379/0?socket_timeout=soon", "option"),
        ("REDIS_URL", f"redis://:{SECRET}@host:6379/0?no_such_option=1", "option"),
        ("MONGODB_URI", f"mongodb://user:{SECRET}/x@host/db", "%2F"),
        ("MONGODB_URI", f"mongodb://user:{SECRET}@x:y@host/db", "%40"),
        ("MONGODB_URI", f"mongodb://user:{SECRET}@host:port/db", "cannot be read"),
        ("MONGODB_URI", f"mongodb://user:{SECRET}@host/db?no_such_option=1", "options"),
        ("ENCRYPTION_KEYS", "short", "32 bytes"),
        ("ENCRYPTION_KEYS", f"{'A' * 43}=,", "32 bytes"),
        ("SECRET_KEY", "short", "16 characters"),
        ("SENTRY_DSN", f"https://{SECRET}@o1.ingest.sentry.test/project", "https://key@host/42"),
    ],
)
def test_a_bad_value_is_named_with_a_hint(read: Read, name: str, value: str, hint: str) -> None:
    message = refusal(read, **{**PRODUCTION, name: value})

    assert name in message
    assert hint in message
    assert SECRET not in message


def test_a_secret_is_in_no_message(read: Read) -> None:
    message = refusal(
        read,
        REDIS_URL=f"http://:{SECRET}@host",
        MONGODB_URI=f"http://user:{SECRET}@host/db",
        SENTRY_DSN=f"ftp://{SECRET}@host/1",
        ENCRYPTION_KEYS=SECRET,
        SECRET_KEY=SECRET[:10],
        REDIS_PORT="x",
    )

    assert all(
        name in message
        for name in ("REDIS_URL", "MONGODB_URI", "SENTRY_DSN", "ENCRYPTION_KEYS", "SECRET_KEY")
    )
    assert SECRET[:10] not in message


def test_a_secret_is_in_no_repr_and_no_dump(read: Read) -> None:
    settings = read(
        **{**PRODUCTION, "SECRET_KEY": SECRET, "ADMIN_PASSWORD": SECRET},
        REDIS_URL=f"redis://:{SECRET}@host/0",
        REDIS_PASSWORD=SECRET,
        MONGODB_URI=f"mongodb://user:{SECRET}@host/db",
        SENTRY_DSN=f"https://{SECRET}@host/1",
    )

    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert PRODUCTION["ENCRYPTION_KEYS"] not in shown
    assert settings.secret("admin_password") == SECRET


@pytest.mark.parametrize("program", [["app.py"], ["worker.py"], ["scheduler.py"], ["-m", "flask", "routes"]])
def test_a_process_with_bad_settings_ends_with_the_message_and_without_a_traceback(
    program: list[str],
) -> None:
    known = {name.upper() for name in config.Settings.model_fields}
    environment = {name: value for name, value in os.environ.items() if name not in known}
    environment |= PRODUCTION | {"REDIS_PORT": "many", "REDIS_PASSWORD": SECRET, "ADMIN_PASSWORD": ""}
    process = subprocess.run(
        [sys.executable, *program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )

    assert process.returncode != 0
    assert "REDIS_PORT" in process.stderr
    assert "ADMIN_PASSWORD" in process.stderr
    assert "Traceback" not in process.stderr
    assert SECRET not in process.stdout + process.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "ADMIN_PASSWORD", "ENCRYPTION_KEYS"])
def test_outside_demo_mode_no_secret_may_be_missing_or_the_demos(read: Read, name: str) -> None:
    others = {other: value for other, value in PRODUCTION.items() if other != name}
    public = config.DEMO_SECRETS[name.lower()]

    assert f"{name}: is not set" in refusal(read, **others)
    assert f"{name}: is not set" in refusal(read, **others, **{name: ""})
    assert f"{name}: is the demo's public value" in refusal(read, **others, **{name: public})


def test_a_demo_key_among_others_is_refused_too(read: Read) -> None:
    keys = f"{PRODUCTION['ENCRYPTION_KEYS']}, {config.DEMO_SECRETS['encryption_keys']}"

    assert "public value" in refusal(read, **{**PRODUCTION, "ENCRYPTION_KEYS": keys})


def test_demo_mode_brings_its_own_secrets(read: Read) -> None:
    settings = read(DEMO="1")

    assert {name: settings.secret(name) for name in config.DEMO_SECRETS} == config.DEMO_SECRETS
    assert [Fernet(key) for key in settings.fernet_keys]


def test_the_defaults_are_those_of_the_design(read: Read) -> None:
    settings = read(**PRODUCTION)

    assert (settings.queue_concurrency, settings.queue_max_jobs_per_second) == (3, 5)
    assert (settings.completed_jobs_keep_hours, settings.completed_jobs_keep) == (24, 1_000)
    assert (settings.failed_jobs_keep_days, settings.failed_jobs_keep) == (7, 5_000)
    assert (settings.port, settings.tz, settings.jobs_enabled, settings.demo) == (5000, "UTC", True, False)
    assert settings.sentry_dsn is None


def test_empty_values_mean_not_set(read: Read) -> None:
    empty = {name.upper(): "" for name in config.Settings.model_fields if name.upper() not in PRODUCTION}

    assert read(**PRODUCTION, **empty) == read(**PRODUCTION)


def test_visits_are_kept_at_least_as_long_as_the_events_that_tell_of_them(read: Read) -> None:
    with pytest.raises(config.InvalidSettings, match="VISITS_KEEP_DAYS: is less than EVENTS_KEEP_DAYS"):
        read(**PRODUCTION, VISITS_KEEP_DAYS="89")
    for days in (0, 90):
        assert read(**PRODUCTION, VISITS_KEEP_DAYS=str(days)).visits_keep_days == days


def test_the_time_zone_is_usable(read: Read) -> None:
    assert read(**PRODUCTION, TZ="Europe/Berlin").time_zone.key == "Europe/Berlin"


def test_encryption_keys_may_be_rotated(read: Read) -> None:
    new, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()

    assert read(**{**PRODUCTION, "ENCRYPTION_KEYS": f"{new}, {old}"}).fernet_keys == [new, old]


def client_of(settings: config.Settings) -> Redis:
    return connection.connect(settings.redis_location)


def test_redis_parts_make_a_connection_when_no_url_is_given(read: Read) -> None:
    password = "p@ss:/w?#%20rd"
    settings = read(
        **PRODUCTION, REDIS_HOST="cache.test", REDIS_PORT="6380", REDIS_DB="4", REDIS_PASSWORD=password
    )

    given = client_of(settings).connection_pool.connection_kwargs
    assert (given["host"], given["port"], given["db"]) == ("cache.test", 6380, 4)
    assert given["password"] == password


def test_the_url_wins_over_the_parts(read: Read) -> None:
    settings = read(**PRODUCTION, REDIS_URL="redis://one.test/1", REDIS_HOST="two.test", REDIS_PASSWORD="x")

    given = client_of(settings).connection_pool.connection_kwargs
    assert (given["host"], given["db"], given.get("password")) == ("one.test", 1, None)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://host", Connection),
        ("rediss://host", SSLConnection),
        ("unix:///run/redis.sock", UnixDomainSocketConnection),
    ],
)
def test_the_scheme_decides_how_to_connect(read: Read, url: str, kind: type) -> None:
    assert client_of(read(**PRODUCTION, REDIS_URL=url)).connection_pool.connection_class is kind


@pytest.mark.parametrize("query", ["", "?health_check_interval=5"])
def test_tls_checks_certificate_and_host_unless_told_otherwise(read: Read, query: str) -> None:
    url = f"rediss://:x@host:6380/0{query}"
    checked = client_of(read(**PRODUCTION, REDIS_URL=url)).connection_pool.make_connection()
    unchecked = client_of(
        read(**PRODUCTION, REDIS_URL=url, REDIS_TLS_CHECK="false")
    ).connection_pool.make_connection()

    assert isinstance(checked, SSLConnection)
    assert isinstance(unchecked, SSLConnection)
    assert (checked.cert_reqs.name, checked.check_hostname) == ("CERT_REQUIRED", True)
    assert (unchecked.cert_reqs.name, unchecked.check_hostname) == ("CERT_NONE", False)


def test_the_check_can_only_be_waived_for_tls(read: Read) -> None:
    settings = read(**PRODUCTION, REDIS_URL="redis://host/0", REDIS_TLS_CHECK="false")

    assert settings.redis_location == "redis://host/0"


def test_a_password_given_in_parts_opens_a_real_redis(read: Read, redis_process: Server) -> None:
    password = "p@ss:/w?#%20rd"
    admin = Redis(port=redis_process.port, protocol=2)
    admin.acl_setuser("default", enabled=True, passwords=[f"+{password}"], reset_passwords=True)
    try:
        settings = read(**PRODUCTION, REDIS_PORT=str(redis_process.port), REDIS_PASSWORD=password)
        assert client_of(settings).ping()
    finally:
        admin.acl_setuser("default", enabled=True, nopass=True)


@pytest.mark.parametrize("text", ["analytics", "analytics=fast", "analytics=-1", "analytics=nan"])
def test_a_rate_that_is_none_is_refused_and_named(text: str, read: Read) -> None:
    message = refusal(read, DEMO="1", QUEUE_RATES=f"email-sync=2,{text}")
    assert f"QUEUE_RATES: {text!r}" in message
