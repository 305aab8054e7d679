"""How many jobs to claim ahead: short ones, since a round trip takes longer than they do."""

from __future__ import annotations

AHEAD = 0.004  # seconds of work that a thread may have before it, beside the job that it runs
MOST = 16  # jobs
LONG = 0.05  # seconds; what a worker takes its jobs for until it knows better
WEIGHT = 0.05  # of the latest job in the mean


class Pace:
    """The mean time of a worker's latest jobs. Two threads may write at once: it is an estimate."""

    def __init__(self) -> None:
        self._mean = LONG

    def note(self, seconds: float) -> None:
        # A single long job means that others may follow.
        self._mean = (
            max(seconds, self._mean) if seconds > LONG else self._mean + WEIGHT * (seconds - self._mean)
        )

    @property
    def jobs_ahead(self) -> int:
        return min(MOST, int(AHEAD / self._mean))
