"""One measured run: enqueue, start workers, wait until all jobs ran, read the rate from the ledger."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from bench import ledger, processes, usage
from bench.environment import Place
from bench.systems import System

SECONDS_PER_RUN = 120.0  # a run that takes longer has failed


@dataclass(frozen=True)
class Run:
    enqueued: float  # jobs per second
    ran: float  # jobs per second
    cpu_ms: float  # processor time of the workers per job, Redis' not included
    redis_ms: float  # processor time of Redis per job
    repeated: int  # starts beyond one per job: 0 while nothing fails


def run(place: Place, system: System, workers: int, jobs: int) -> Run:
    """`workers` processes of the system run `jobs` no-ops. Raises `Failed` when one is missing."""
    place.redis.flushall()
    enqueued = enqueue_rate(place, system.producer, jobs)
    file = place.folder / "ledger"
    file.unlink(missing_ok=True)
    with ExitStack() as stack:
        started = []
        for number in range(workers):
            environment = {**place.environment, ledger.LEDGER: str(file), ledger.WORKER: str(number)}
            log = place.folder / f"{system.name}-{number}.log"
            started.append(stack.enter_context(processes.running(system.worker, environment, log)))

        def wait_for(number: int) -> tuple[int, float, float]:
            what = f"{number} jobs of {system.name}"
            processes.wait_until(lambda: ledger.length(file) >= number, what, SECONDS_PER_RUN, started)
            return ledger.length(file), usage.seconds(started), usage.of_redis(place.redis)

        warm_jobs, *warm = wait_for(workers * ledger.WARM_UP)
        all_jobs, *all_ = wait_for(jobs)
    rate = ledger.rate(ledger.read(file), workers)
    if rate is None:
        raise processes.Failed(f"a worker of {system.name} did not get warm; give it more jobs")
    between = max(1, all_jobs - warm_jobs)
    cpu_ms, redis_ms = ((after - before) / between * 1_000 for before, after in zip(warm, all_, strict=True))
    return Run(enqueued, rate, cpu_ms, redis_ms, all_jobs - jobs)


def enqueue_rate(place: Place, producer: tuple[str, ...], jobs: int) -> float:
    """Jobs per second that one process enqueues."""
    return jobs / float(processes.output_of([*producer, str(jobs)], place.environment))
