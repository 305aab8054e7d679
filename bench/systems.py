"""The table of systems: how a worker process of each is started, and how jobs get onto its queue."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
BULLMQ = Path(__file__).parent / "peers" / "bullmq"
NODE = shutil.which("node") or "node"
CONCURRENCY = "3"


@dataclass(frozen=True)
class System:
    name: str
    worker: tuple[str, ...]  # command of one worker process
    producer: tuple[str, ...]  # command that enqueues; the number of jobs follows
    needs: Path  # a file that is there when the system is installed
    share: float = 1.0  # of the jobs: a slow system gets fewer, its rate is what counts

    @property
    def is_installed(self) -> bool:
        return self.needs.exists()


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"bench.peers.{module}")


def _program(line: str) -> tuple[str, ...]:
    """A command line whose program stands beside our Python."""
    name, *arguments = line.split()
    return (str(BIN / name), *arguments)


def _rq(name: str, worker_class: str, share: float) -> System:
    worker = _program(f"rq worker bench --quiet --worker-class {worker_class}")
    return System(name, worker, _python("rq_peer"), BIN / "rq", share)


OURS = System("ours", (sys.executable, "worker.py"), _python("ours"), Path(sys.executable))
RQ = _rq("rq", "rq.worker.Worker", share=0.06)
RQ_SIMPLE = _rq("rq-simple", "rq.worker.SimpleWorker", share=0.2)
HUEY = System(
    "huey",
    _program(f"huey_consumer bench.peers.huey_peer.huey -k thread -w {CONCURRENCY} --quiet"),
    _python("huey_peer"),
    BIN / "huey_consumer",
)
BULL = System(
    "bullmq",
    (NODE, str(BULLMQ / "worker.js")),
    (NODE, str(BULLMQ / "produce.js")),
    BULLMQ / "node_modules" / "bullmq",
)
CELERY = System(
    "celery",
    _program(
        f"celery -A bench.peers.celery_peer worker --pool threads -c {CONCURRENCY} --loglevel WARNING"
        " --without-gossip --without-mingle --without-heartbeat"
    ),
    _python("celery_peer"),
    BIN / "celery",
    share=0.4,
)
DRAMATIQ = System(
    "dramatiq",
    _program(f"dramatiq bench.peers.dramatiq_peer --processes 1 --threads {CONCURRENCY}"),
    _python("dramatiq_peer"),
    BIN / "dramatiq",
)
TASKIQ = System(
    "taskiq",
    _program(
        "taskiq worker bench.peers.taskiq_peer:broker --log-level WARNING"
        f" --workers 1 --max-async-tasks {CONCURRENCY}"
    ),
    _python("taskiq_peer"),
    BIN / "taskiq",
)
SAQ = System("saq", _program("saq bench.peers.saq_peer.settings"), _python("saq_peer"), BIN / "saq")

OTHERS = (CELERY, DRAMATIQ, TASKIQ, SAQ)  # no goal names them
