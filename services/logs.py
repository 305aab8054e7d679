"""Log lines: for people with emojis on the console, or one JSON object a line."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_NAMES = re.compile(r"pass(word|wd)?$|secret|token|authorization|api_?key|cookie|dsn", re.IGNORECASE)
CREDENTIALS_IN_URL = re.compile(r"(://[^:/@\s]*):[^@\s]+@")
LOUD_LIBRARIES = ("rq.worker", "rq.job", "rq.queue", "rq_scheduler.scheduler", "limits", "mail.log")


def hide_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: values under secret-looking names and passwords in URLs never reach a log."""
    for name, value in line.items():
        if SECRET_NAMES.search(name):
            line[name] = "[hidden]"
        elif isinstance(value, str):
            line[name] = CREDENTIALS_IN_URL.sub(r"\1:[hidden]@", value)
    return line


def configure(log_format: str, level: str) -> None:
    """Set up structlog and the standard library's logging alike; call once at a process' start."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if log_format == "json" else "%H:%M:%S", utc=True),
        structlog.processors.format_exc_info if log_format == "json" else _unchanged,
        hide_secrets,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
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


def _unchanged(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return line
