"""Settings, read once from the environment: the only reader of `os.environ` in the project.

`settings()` returns them typed, or raises `InvalidSettings` with every bad name at once. A secret's value
is never part of a message, a log line or a repr.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri
from redis import ConnectionPool

# What demo mode uses where nothing is given. Public, so refused everywhere else.
DEMO_SECRETS = {
    "secret_key": "demo-secret-key-not-for-production",
    "admin_password": "demo-admin",
    "encryption_keys": "ZGVtby1rZXktbm90LWZvci1wcm9kdWN0aW9uLTMyYnk=",
}
SCHEMES = {
    "redis_url": ("redis", "rediss", "unix"),
    "mongodb_uri": ("mongodb", "mongodb+srv"),
    "sentry_dsn": ("https", "http"),
}
SHORTEST_SECRET_KEY = 16  # characters; `python -c "import secrets; print(secrets.token_hex(32))"` gives 64


class InvalidSettings(SystemExit):
    """One or more environment variables are missing or wrong; the message names each."""


class Settings(BaseSettings):
    """The environment, typed. Field names are the variables' names in lower case."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    demo: bool = Field(
        False, description="Demo mode: public demo secrets are allowed"
    )  # first: others ask it
    redis_url: SecretStr | None = Field(None, description="Redis or Valkey >= 6.2; rediss:// = TLS, checked")
    redis_tls_check: bool = Field(
        True, description="false: rediss:// accepts any certificate, as Heroku's self-signed ones need"
    )
    redis_host: str = Field("127.0.0.1", description="Redis host, when REDIS_URL is not set")
    redis_port: int = Field(6379, ge=1, le=65535, description="Redis port, when REDIS_URL is not set")
    redis_password: SecretStr | None = Field(None, description="Redis password, when REDIS_URL is not set")
    redis_db: int = Field(0, ge=0, description="Redis database number, when REDIS_URL is not set")
    mongodb_uri: SecretStr = Field(
        SecretStr("mongodb://127.0.0.1:27017/clianta"), description="MongoDB >= 5, with the database's name"
    )
    queue_profile: Literal["standard", "frugal"] = Field(
        "standard", description="frugal: the fewest commands, for a Redis that bills each (docs/frugal.md)"
    )
    queue_concurrency: int = Field(3, ge=1, le=100, description="Jobs that one worker runs at once")
    queue_max_jobs_per_second: float = Field(
        5, ge=0, description="Jobs started per second and queue, all workers together; 0 = no limit"
    )
    queue_rates: str = Field("", description="Other limits for some queues, like email-sync=2,ai-jobs=0.5")
    completed_jobs_keep_hours: int = Field(24, ge=0, description="Hours a completed job is kept")
    completed_jobs_keep: int = Field(1_000, ge=0, description="Completed jobs kept per queue at most")
    failed_jobs_keep_days: int = Field(7, ge=1, description="Days a dead letter is kept")
    failed_jobs_keep: int = Field(5_000, ge=1, description="Dead letters kept per queue at most")
    shutdown_grace: int = Field(25, ge=1, description="Seconds that running jobs get to end after SIGTERM")
    stuck_after: int = Field(
        30, ge=1, description="Seconds a job gets to end after its time limit, or may hang its process"
    )
    worker_processes: int = Field(1, ge=1, le=64, description="Worker processes that one worker.py runs")
    worker_max_jobs: int = Field(
        0, ge=0, description="Jobs after which a worker process is renewed; 0 = never"
    )
    worker_max_mb: int = Field(
        0, ge=0, description="Memory after which a worker process is renewed; 0 = never"
    )
    jobs_enabled: bool = Field(True, description="false: the scheduler starts no scheduled job")
    ticks_keep_days: int = Field(90, ge=1, description="Days that the run ledger of scheduled jobs is kept")
    events_keep_days: int = Field(
        90, ge=1, description="Days that the ledger keeps an event after all its reactions are done"
    )
    visits_keep_days: int = Field(
        400,
        ge=0,
        description="Days that what visitors did is kept, at least EVENTS_KEEP_DAYS; 0 = for ever",
    )
    notifications_keep_days: int = Field(
        180, ge=0, description="Days that a notice is kept, read or not; 0 = for ever"
    )
    tz: str = Field("UTC", description="Time zone of cron entries without one of their own")
    admin_user: str = Field("admin", min_length=1, description="User name of the admin pages")
    admin_password: SecretStr | None = Field(None, description="Password of the admin pages")
    secret_key: SecretStr | None = Field(None, description="Signs session cookies; 16 characters or more")
    encryption_keys: SecretStr | None = Field(
        None, description="Fernet keys, comma separated, newest first: encrypt mailbox passwords at rest"
    )
    port: int = Field(5000, ge=1, le=65535, description="Port of the web process")
    trusted_proxies: int = Field(0, ge=0, le=5, description="Proxies in front whose X-Forwarded-For counts")
    public_requests_per_minute: int = Field(
        100, ge=1, description="Requests a minute that one IP may send to the public API"
    )
    max_body_bytes: int = Field(1_048_576, ge=1_024, description="Largest request body in bytes")
    webhook_secret: SecretStr | None = Field(None, description="Signs webhooks; 16 characters or more")
    webhook_allow_private: bool = Field(
        False, description="true: webhooks may go to private and loopback addresses"
    )
    automation_runs_per_minute: int = Field(
        600, ge=1, description="Runs a minute of one automation at most; its own limit may be lower"
    )
    automation_runs_keep_days: int = Field(30, ge=1, description="Days that automations' run history is kept")
    apollo_api_key: SecretStr | None = Field(
        None, description="Key of Apollo.io, which enriches contacts; not set = off"
    )
    apollo_url: str = Field("https://api.apollo.io/api/v1", description="Where Apollo's API is")
    sentry_dsn: SecretStr | None = Field(None, description="Sentry project; not set = off")
    sentry_environment: str = Field("production", description="Environment named in Sentry")
    log_format: Literal["console", "json"] = Field("console", description="console (with emojis) or json")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged")

    @field_validator("redis_url", "mongodb_uri", "sentry_dsn")
    @classmethod
    def _has_scheme(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        schemes = SCHEMES[str(info.field_name)]
        if value and urlsplit(value.get_secret_value()).scheme not in schemes:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    @field_validator("queue_rates")
    @classmethod
    def _are_rates(cls, value: str) -> str:
        rates(value)
        return value

    @field_validator("redis_url")
    @classmethod
    def _has_port(cls, value: SecretStr | None) -> SecretStr | None:
        with contextlib.suppress(ValueError):  # its message would quote the URL
            if value:
                _ = urlsplit(value.get_secret_value()).port
            return value
        raise ValueError("has a port that is no number; is a / in the password? write it as %2F")

    @field_validator("redis_url")
    @classmethod
    def _has_known_options(cls, value: SecretStr | None) -> SecretStr | None:
        with contextlib.suppress(TypeError, ValueError):  # connects to nothing
            if value:
                ConnectionPool.from_url(value.get_secret_value()).make_connection()
            return value
        raise ValueError("cannot be read: an option after the ? is unknown or wrong")

    @field_validator("mongodb_uri")
    @classmethod
    def _names_database(cls, value: SecretStr) -> SecretStr:
        if not urlsplit(value.get_secret_value()).path.strip("/"):
            raise ValueError("must name the database, like mongodb://host/clianta")
        return value

    @field_validator("mongodb_uri")
    @classmethod
    def _can_be_read(cls, value: SecretStr) -> SecretStr:
        uri = value.get_secret_value()
        with contextlib.suppress(PyMongoError, ValueError):  # their messages would quote the password
            if uri.startswith("mongodb://"):  # +srv is read with the help of DNS
                parse_uri(uri)
            return value
        raise ValueError(
            "cannot be read: in user and password write / as %2F, @ as %40, : as %3A; are the options right?"
        )

    @field_validator("sentry_dsn")
    @classmethod
    def _is_dsn(cls, value: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(value.get_secret_value()) if value else None
        if parts and not (parts.username and parts.path.rsplit("/", 1)[-1].isdecimal()):
            raise ValueError("must be like https://key@host/42, as Sentry's project settings show it")
        return value

    @field_validator("visits_keep_days")
    @classmethod
    def _outlives_events(cls, value: int, info: ValidationInfo) -> int:
        if 0 < value < info.data.get("events_keep_days", 0):
            raise ValueError(
                "is less than EVENTS_KEEP_DAYS: when a person is erased, the visits lead to the events "
                "that tell of them"
            )
        return value

    @field_validator("tz")
    @classmethod
    def _is_time_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not a time zone; give one like Europe/Berlin")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _are_fernet_keys(cls, value: SecretStr | None) -> SecretStr | None:
        for key in value.get_secret_value().split(",") if value else []:
            try:
                Fernet(key.strip())
            except ValueError:
                raise ValueError("must be Fernet keys (32 bytes, url-safe base64), comma separated") from None
        return value

    @field_validator("secret_key", "admin_password", "encryption_keys")
    @classmethod
    def _is_our_own(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("demo"):
            return value
        if value is None:
            raise ValueError("is not set; needed outside demo mode")
        if DEMO_SECRETS[str(info.field_name)] in map(str.strip, value.get_secret_value().split(",")):
            raise ValueError("is the demo's public value; set your own")
        return value

    @field_validator("secret_key", "webhook_secret")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < SHORTEST_SECRET_KEY:
            raise ValueError(f"is shorter than {SHORTEST_SECRET_KEY} characters")
        return value

    @property
    def redis_location(self) -> str:
        """The Redis URL to connect to, with its password: not for printing."""
        if self.redis_url:
            url = self.redis_url.get_secret_value()
            if url.startswith("rediss://") and not self.redis_tls_check:
                url += ("&" if "?" in url else "?") + "ssl_cert_reqs=none"
            return url
        password = (
            f":{quote(self.redis_password.get_secret_value(), safe='')}@" if self.redis_password else ""
        )
        return f"redis://{password}{self.redis_host}:{self.redis_port}/{self.redis_db}"

    @property
    def is_frugal(self) -> bool:
        return self.queue_profile == "frugal"

    @property
    def sentry_project(self) -> str | None:
        """The DSN, or None when Sentry is off."""
        return self.sentry_dsn.get_secret_value() if self.sentry_dsn else None

    def secret(self, name: str) -> str:
        """The plain value of a secret setting; in demo mode the public one where none is given."""
        value: SecretStr | None = getattr(self, name)
        return value.get_secret_value() if value else DEMO_SECRETS[name]

    @property
    def fernet_keys(self) -> list[str]:
        """Encryption keys, newest first; the first one encrypts."""
        return [key.strip() for key in self.secret("encryption_keys").split(",")]

    @property
    def time_zone(self) -> ZoneInfo:
        return ZoneInfo(self.tz)


def rates(text: str) -> dict[str, float]:
    """Jobs per second by queue, of `queue=number, …`. Raises `ValueError` naming what is wrong."""
    found = {}
    for part in filter(str.strip, text.split(",")):
        queue, _, number = map(str.strip, part.partition("="))
        try:
            found[queue] = float(number)
        except ValueError:
            raise ValueError(f"{part.strip()!r} must be like email-sync=2") from None
        if not 0 <= found[queue] < float("inf"):
            raise ValueError(f"{part.strip()!r}: the number must be 0 (no limit) or more")
    return found


def _explain(error: ValidationError) -> str:
    lines = ["These settings are missing or wrong:"]
    for problem in error.errors(include_url=False, include_input=False):
        name = str(problem["loc"][0])
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"  {name.upper()}: {message} ({Settings.model_fields[name].description})")
    return "\n".join(lines)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process' settings. Raises `InvalidSettings` naming every bad variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettings(_explain(error)) from None
