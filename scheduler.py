"""The cron process: `python scheduler.py`. Enqueues what is due; relays events that missed Redis."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

import config
from consumers import automations, healing
from jobs.run_ledger import RunLedger
from jobs.watchdog import Watchdog
from models import store
from publishers import relay
from queues import profiles
from queues.connection import RedisError, connect
from services import logs, sentry

log = structlog.get_logger()

HOUSEKEEPING = 60.0  # seconds between two looks for pending events and missed runs; hardly a Redis command


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    settings = config.settings()
    logs.configure(settings.log_format, settings.log_level)
    sentry.init(settings.sentry_project, settings.sentry_environment)
    store.connect(settings.mongodb_uri.get_secret_value())
    stop = _stop_on_signals()
    ledger = RunLedger(is_on=settings.jobs_enabled)
    log.info("⏰ scheduler started", jobs_enabled=settings.jobs_enabled)
    housekeeping = threading.Thread(target=_keep_house, args=(ledger, stop), name="housekeeping")
    housekeeping.start()
    profiles.scheduler()(ledger, connect(settings.redis_location)).run(stop)
    housekeeping.join()
    log.info("👋 scheduler stopped")
    sentry.flush()


def _stop_on_signals() -> threading.Event:
    """Set on SIGTERM and SIGINT, from a thread: a signal handler must not wait for locks."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
    return stop


def _keep_house(ledger: RunLedger, stop: threading.Event) -> None:
    watchdog = Watchdog(ledger.table, datetime.now(UTC))
    while not stop.is_set():
        _try("events could not be relayed", _relay)
        _try("automations could not be recovered", _recover)
        _try("what Redis lost could not be handed on again", _heal)
        _try("missed runs could not be looked for", lambda: watchdog.check(datetime.now(UTC)))
        stop.wait(HOUSEKEEPING)


def _relay() -> None:
    """Enqueue accepted events whose job is not in Redis."""
    if count := relay.relay():
        log.info("📬 relayed pending events", events=count)


def _recover() -> None:
    """Enqueue the actions of automations whose jobs were lost."""
    if count := automations.recover():
        log.info("📬 enqueued actions of automations that were lost", actions=count)


def _heal() -> None:
    """Hand on again what jobs in Redis were to do for events that are done."""
    if count := healing.heal(store.now()):
        log.info("📬 handed on again what Redis may have lost", events=count)


def _try(problem: str, action: Callable[[], object]) -> None:
    """What fails now is done at the next look."""
    try:
        action()
    except (store.StoreError, RedisError) as error:
        log.error(f"❌ {problem}; trying again later", error=str(error))
    except Exception as error:  # a fault of ours: reported, and no reason to stop all housekeeping
        log.exception(f"❌ {problem}; trying again later")
        sentry.capture(error)


if __name__ == "__main__":
    main()
