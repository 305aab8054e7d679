"""The cron process: `python scheduler.py`. Enqueues what is due and relays events that missed Redis."""

from __future__ import annotations

import argparse
import signal
import threading

import structlog

import config
from jobs.schedule import SCHEDULE
from models import store
from publishers import relay
from queues.connection import RedisError, connect
from queues.cron import Scheduler
from services import logs, sentry

log = structlog.get_logger()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    settings = config.settings()
    logs.configure(settings.log_format, settings.log_level)
    sentry.init(settings.sentry_project, settings.sentry_environment)
    store.connect(settings.mongodb_uri.get_secret_value())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    table = SCHEDULE if settings.jobs_enabled else ()
    log.info("⏰ scheduler started", entries=len(table), jobs_enabled=settings.jobs_enabled)
    Scheduler(table, connect(settings.redis_location)).run(stop, on_wake=_relay)
    log.info("👋 scheduler stopped")
    sentry.flush()


def _relay() -> None:
    """Enqueue accepted events whose job is not in Redis. What fails now is done at the next wake-up."""
    try:
        count = relay.relay()
    except (store.StoreError, RedisError) as error:
        log.error("❌ events could not be relayed; trying again later", error=str(error))
        return
    if count:
        log.info("📬 relayed pending events", events=count)


if __name__ == "__main__":
    main()
