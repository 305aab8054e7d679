"""Sentry's cron monitors: each scheduled job says when it starts and how it ended.

Sentry learns the schedule from the check-ins and tells when one is missing, so a system that stands still as
a whole is noticed too. Without a Sentry project nothing is sent.
"""

from __future__ import annotations

from uuid import NAMESPACE_OID, uuid5

from sentry_sdk.crons import capture_checkin

MARGIN = 15  # minutes that a run may be late before Sentry calls it missed
LONGEST = 60  # minutes that a run may take, retries included


def begin(monitor: str, run: str, cron: str, time_zone: str) -> None:
    """A run, known by its job's id, begins or is tried again. `monitor` is the scheduled job's name."""
    capture_checkin(
        monitor_slug=monitor,
        check_in_id=_id(run),
        status="in_progress",
        monitor_config={
            "schedule": {"type": "crontab", "value": cron},
            "timezone": time_zone,
            "checkin_margin": MARGIN,
            "max_runtime": LONGEST,
        },
    )


def end(monitor: str, run: str, *, is_ok: bool, seconds: float) -> None:
    """The run is over, for good."""
    capture_checkin(
        monitor_slug=monitor,
        check_in_id=_id(run),
        status="ok" if is_ok else "error",
        duration=seconds,
    )


def _id(run: str) -> str:
    """The same for all tries of a run, whichever process makes them."""
    return uuid5(NAMESPACE_OID, run).hex
