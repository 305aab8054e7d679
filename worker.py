"""One worker process: `python worker.py`. SIGTERM lets running jobs end, then hands back the rest."""

from __future__ import annotations

import argparse
import os
import time

import structlog

import config
from consumers import dispatch
from models import store
from queues import register
from queues.connection import RedisError, connect
from queues.worker import RECONNECT, Worker
from services import logs, sentry

log = structlog.get_logger()


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    settings = config.settings()
    logs.configure(settings.log_format, settings.log_level)
    sentry.init(settings.sentry_project, settings.sentry_environment)
    store.connect(settings.mongodb_uri.get_secret_value())
    dispatch.load_reactions()  # now, so that no first job pays for the imports
    all_jobs_ended = _start(settings).work()
    sentry.flush()
    if not all_jobs_ended:
        os._exit(0)  # their threads cannot be ended otherwise; the jobs were handed back


def _start(settings: config.Settings) -> Worker:
    """The worker, once Redis answers."""
    connection = connect(settings.redis_location)
    while True:
        try:
            register.register_queues(connection)
            return Worker(connection, concurrency=settings.queue_concurrency, grace=settings.shutdown_grace)
        except RedisError as error:
            log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
            time.sleep(RECONNECT)


if __name__ == "__main__":
    main()
