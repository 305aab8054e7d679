"""Log lines: for people with emojis on the console, or one JSON object a line."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

SECRET_NAMES = re.compile(r"pass(word|wd)?$|secret|token|authorization|api[-_]?key|cookie|dsn", re.IGNORECASE)
CREDENTIALS_IN_URL = re.compile(r"(://[^:/@\s]*):\S+@")  # to the last @: a password may hold one
REFUSED_INPUT = re.compile(r"input_value=.*?, input_type=", re.DOTALL)  # pydantic quotes what it refuses
LOUD_LIBRARIES = ("rq.worker", "rq.job", "rq.queue", "rq_scheduler.scheduler", "limits", "mail.log")


def hide_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: values under secret-looking names and passwords in URLs never reach a log."""
    line.update(redacted(dict(line)))
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


def configure(log_format: str, level: str) -> None:
    """Set up structlog and the standard library's logging alike; call once at a process' start."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if log_format == "json" else "%H:%M:%S", utc=True),
        structlog.processors.format_exc_info,  # a traceback becomes text here, before secrets are hidden
        hide_secrets,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=0,
            sort_keys=False,  # what a line is about comes first, its ids after it
            exception_formatter=structlog.dev.plain_traceback,  # the default one prints local variables
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
