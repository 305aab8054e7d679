"""The engine's two profiles: QUEUE_PROFILE says which worker and which scheduler a process gets."""

from __future__ import annotations

import config
from queues.cron import Scheduler
from queues.frugal.scheduler import FrugalScheduler
from queues.frugal.worker import FrugalWorker
from queues.worker import Worker


def worker() -> type[Worker]:
    return FrugalWorker if config.settings().is_frugal else Worker


def scheduler() -> type[Scheduler]:
    return FrugalScheduler if config.settings().is_frugal else Scheduler
