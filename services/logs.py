"""Log lines: for people with emojis on the console, or one JSON object a line."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

SECRET_NAMES = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|authorization|(api|private|encryption)[-_]?keys?|cookie|dsn",
    re.IGNORECASE,
)
# Each repetition has an end: a long text from outside must not hold up the process.
CREDENTIALS_IN_URL = re.compile(r"(://[^:/@\s]{0,256}):\S{1,1024}@")  # to the last @: a password may hold one
REFUSED_INPUT = re.compile(
    r"input_value=.{0,1024}?, input_type=", re.DOTALL
)  # pydantic quotes what it refuses
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed: they steer terminals
LOUD_LIBRARIES = ("rq.worker", "rq.job", "rq.queue", "rq_scheduler.scheduler", "limits", "mail.log")
TELLTALES = ("imapclient", "pymongo")  # at DEBUG they log whole messages and documents


def hide_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: values under secret-looking names and passwords in URLs never reach a log."""
    line.update(redacted(dict(line)))
    return line


def without_controls(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor for a console: nothing that came from outside steers the terminal."""
    texts = {name: CONTROL.sub("\ufffd", value) for name, value in line.items() if isinstance(value, str)}
    line.update(texts)
    return line


def redacted(value: Any) -> Any:
    """The value, however nested, without what `hide_secrets` hides. Exceptions become their text."""
    if isinstance(value, str):
        return REFUSED_INPUT.sub("input_value=[hidden], input_type=", _without_credentials(value))
    if isinstance(value, Mapping):
        return {name: "[hidden]" if _is_secret(name) else redacted(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return redacted(str(value)) if isinstance(value, BaseException) else value


def _is_secret(name: Any) -> bool:
    return isinstance(name, str) and SECRET_NAMES.search(name) is not None


def _without_credentials(text: str) -> str:
    return CREDENTIALS_IN_URL.sub(r"\1:[hidden]@", text)


def configure(log_format: str, level: str, *, for_good: bool = False) -> None:
    """Set up structlog and the standard library's logging alike; call once at a process' start.

    `for_good`: it will not be called again, so each logger is put together once only.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if log_format == "json" else "%H:%M:%S", utc=True),
        structlog.processors.format_exc_info,  # a traceback becomes text here, before secrets are hidden
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # What is below the level costs nothing: it is dropped before any processor sees it.
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=for_good,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in (*LOUD_LIBRARIES, *TELLTALES):
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderers(log_format: str) -> list[Any]:
    if log_format == "json":
        return [structlog.processors.JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        pad_event_to=0,
        sort_keys=False,  # what a line is about comes first, its ids after it
        exception_formatter=structlog.dev.plain_traceback,  # the default one prints local variables
    )
    return [without_controls, console]
