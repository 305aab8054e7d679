"""The cron table: what runs when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from models.cron_override import CronOverride
from models.intent import DECAY_HOUR
from queues.cron_entry import CronEntry
from queues.names import ANALYTICS, EMAIL_SYNC, INTEGRATIONS

SCHEDULE: tuple[CronEntry, ...] = (
    CronEntry(
        "email-sync", "*/5 * * * *", "jobs.email_sync.run", EMAIL_SYNC, "Pull new mail from every mailbox"
    ),
    CronEntry(
        "contact-sync",
        "0 2 * * *",
        "jobs.contact_sync.run",
        INTEGRATIONS,
        "Ask Apollo for what it knows of the contacts",
        time_zone="UTC",
    ),
    CronEntry(
        "intent-score-decay",
        f"0 {DECAY_HOUR} * * *",
        "jobs.intent_score_decay.run",
        ANALYTICS,
        "Let the contacts' intent fade",
        time_zone="UTC",
    ),
    CronEntry(
        "lead-recycling",
        "0 9 * * *",
        "jobs.lead_recycling.run",
        ANALYTICS,
        "Work lost leads once more that show interest again",
        time_zone="UTC",
    ),
    CronEntry(
        "lifecycle-progression",
        "0 */2 * * *",
        "jobs.lifecycle_progression.run",
        ANALYTICS,
        "Move contacts along the lifecycle",
        time_zone="UTC",
    ),
    CronEntry(
        "stale-deal-alert",
        "0 9 * * *",
        "jobs.stale_deal_alert.run",
        ANALYTICS,
        "Tell of deals with which nothing has happened for long",
        time_zone="UTC",
    ),
)

# Never scheduled, refused by name.
ARCHIVED: dict[str, str] = {
    name: f"{name} was archived on 2026-02-04 and is no longer run; there is no replacement"
    for name in ("agent-event-trigger", "agent-resume-execution", "agent-scheduled")
}

RUNNER = "jobs.runner.run"  # keeps the run ledger around each of them


class ArchivedJob(ValueError):
    """The name of a job that is no longer run."""

    permanent = True


class UnknownJob(ValueError):
    """No scheduled job has this name."""

    permanent = True


def entry(name: str) -> CronEntry:
    """The entry of a scheduled job. Raises `ArchivedJob` or `UnknownJob`, which lists the names."""
    if name in ARCHIVED:
        raise ArchivedJob(ARCHIVED[name])
    for candidate in SCHEDULE:
        if candidate.name == name:
            return replace(candidate, runner=RUNNER)
    raise UnknownJob(f"there is no job {name!r}; there are: {', '.join(e.name for e in SCHEDULE)}")


def table(overrides: Mapping[str, CronOverride]) -> list[CronEntry]:
    """The entries as they are run, with what operators changed about them, by name."""
    return [overridden(entry(line.name), overrides.get(line.name)) for line in SCHEDULE]


def overridden(line: CronEntry, override: CronOverride | None) -> CronEntry:
    """The entry with what an operator changed about it."""
    if override is None:
        return line
    paused = override.pause_reason if override.paused_at else None
    since = override.changed_at
    return replace(line, **override.changes, paused=paused, since=since)
