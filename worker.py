"""One worker: `python worker.py`. SIGTERM lets running jobs end, then hands back the rest.

With WORKER_PROCESSES above 1, or a limit after which a process is renewed, it is the parent of `--one`
processes, which it keeps running.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time

import structlog

import config
from consumers import dispatch
from jobs import automation_step
from models import store
from queues import hangs, profiles, rates, register
from queues.connection import RedisError, connect
from queues.exchange import RECONNECT
from queues.supervisor import Supervisor
from queues.worker import Worker
from services import logs, sentry

log = structlog.get_logger()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", action="store_true", help="be a child of the process that runs several")
    settings = config.settings()
    logs.configure(settings.log_format, settings.log_level, for_good=True)
    rates.check()
    is_alone = settings.worker_processes == 1 and not (settings.worker_max_jobs or settings.worker_max_mb)
    is_child = parser.parse_args().one
    if is_child:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if is_child or is_alone:
        run_one(settings)
    else:
        Supervisor([sys.executable, __file__, "--one"], settings.worker_processes).run()


def _end_with_parent() -> None:
    """As on SIGTERM when the supervisor was killed: then our standard input ends."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


def run_one(settings: config.Settings) -> None:
    """Be one worker process until SIGTERM."""
    sentry.init(settings.sentry_project, settings.sentry_environment)
    store.connect(settings.mongodb_uri.get_secret_value())
    threading.Thread(target=check_indexes, daemon=True).start()  # the store may be away: nobody waits for it
    dispatch.load_reactions()  # now, so that no first job pays for the imports
    all_jobs_ended = _start(settings).work()
    sentry.flush()
    if not all_jobs_ended:
        os._exit(0)  # their threads cannot be ended otherwise; the jobs were handed back


def check_indexes() -> None:
    """Say which indexes are missing: jobs run without them, but read whole collections."""
    try:
        missing = store.missing_indexes()
    except store.StoreError as error:
        log.warning("⚠️  indexes not checked: the store is away", error=type(error).__name__)
        return
    if missing:
        log.error("❌ indexes are missing: run flask db indexes", missing=missing)


def _start(settings: config.Settings) -> Worker:
    """The worker, once Redis answers."""
    connection = connect(settings.redis_location, retries=0)  # a claim must not be repeated
    while True:
        try:
            register.register_queues(connection)
            worker = profiles.worker()(
                connection, concurrency=settings.queue_concurrency, grace=settings.shutdown_grace
            )
        except RedisError as error:
            log.error("❌ Redis is away; trying again", error=str(error), seconds=RECONNECT)
            time.sleep(RECONNECT)
        else:
            worker.push_exc_handler(dispatch.mark_abandoned)
            worker.push_exc_handler(automation_step.mark_abandoned)
            worker.limits = (settings.worker_max_jobs, settings.worker_max_mb)
            guard = hangs.Guard(settings.stuck_after, worker.is_idle)
            worker.jobs_begin = guard.jobs_begin
            guard.start()
            return worker


if __name__ == "__main__":
    main()
