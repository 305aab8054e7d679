"""`flask cron …`: the cron table, and what became of its ticks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from cron_descriptor import get_description

from jobs import schedule
from models.cron_override import CronOverride
from models.tick import Tick
from queues.cron_entry import CronEntry
from web.cli import output
from web.cli.command import Group, example, json_option

TIMES = 5  # next times shown of each entry

commands = Group("cron", help="The cron table.")


@commands.command("list", epilog=example("flask cron list"))
@json_option
def list_(as_json: bool) -> None:
    """List the cron table, with the next five times of each entry in its own time zone."""
    overrides = CronOverride.all()
    entries = [
        describe(line, overrides.get(line.name), datetime.now(UTC)) for line in schedule.table(overrides)
    ]
    if as_json:
        output.as_json(entries)
        return
    for entry in entries:
        output.fields(
            [
                (entry["name"], entry["description"]),
                ("when", f"{entry['meaning']} ({entry['cron']}, {entry['time_zone']})"),
                ("next", _line(entry["next"])),
                ("paused", _pause_line(entry["paused"])),
                ("override", _override_line(entry["override"])),
            ]
        )
        output.console().print()


@commands.command("history", epilog=example("flask cron history", "flask cron history email-sync --limit 50"))
@click.argument("name", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000), help="Rows shown.")
@json_option
def history(name: str | None, limit: int, as_json: bool) -> None:
    """Show what became of the latest ticks, of one job or of all."""
    rows = Tick.history(schedule.entry(name).name if name else None, limit)
    if as_json:
        output.as_json([_facts(row) for row in rows])
        return
    output.table(
        ["Job", "Due (UTC)", "Status", ("Took", "right"), "Why"],
        [(r.entry, f"{r.due:%d %b %H:%M:%S}", _status(r), _took(r), r.error or r.reason or "") for r in rows],
        empty="No tick is on record.",
    )


def describe(entry: CronEntry, override: CronOverride | None, moment: datetime) -> dict[str, Any]:
    """The entry, what its cron line means in English, and when it is due after `moment`."""
    times = entry.times_after(moment)
    return {
        "name": entry.name,
        "cron": entry.cron,
        "meaning": get_description(entry.cron),
        "time_zone": entry.zone.key,
        "queue": entry.queue,
        "description": entry.description,
        "enabled": entry.enabled,
        "missed": entry.missed,
        "overlap": entry.overlap,
        "next": [next(times).astimezone(entry.zone) for _ in range(TIMES)] if entry.enabled else [],
        "paused": _who(override, "paused", "pause_reason") if override and override.paused_at else None,
        "override": override.changes | _who(override, "changed", "reason")
        if override and override.changes
        else None,
    }


def _who(override: CronOverride, verb: str, reason: str) -> dict[str, Any]:
    by, at = getattr(override, f"{verb}_by"), getattr(override, f"{verb}_at")
    return {"by": by, "at": at, "reason": getattr(override, reason) or ""}


def words(changes: dict[str, Any]) -> str:
    """Changes as a person would say them."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changes.items())


def _pause_line(paused: dict[str, Any] | None) -> str | None:
    return f"{output.ago(paused['at'])} by {paused['by']}: {paused['reason']}" if paused else None


def _override_line(override: dict[str, Any] | None) -> str | None:
    if not override:
        return None
    changes = {name: value for name, value in override.items() if name not in ("by", "at", "reason")}
    why = f": {override['reason']}" if override["reason"] else ""
    return f"{words(changes)} ({output.ago(override['at'])} by {override['by']}{why})"


def _facts(row: Tick) -> dict[str, Any]:
    names = ("id", "entry", "due", "trigger", "status", "reason", "error", "tries")
    return {
        name: getattr(row, name) for name in (*names, "enqueued_at", "started_at", "ended_at", "duration")
    }


def _status(row: Tick) -> str:
    running = "running" if row.status == "queued" and row.started_at else row.status
    return running if row.trigger == "cron" else f"{running}, by hand"


def _took(row: Tick) -> str:
    return "" if row.duration is None else f"{row.duration:,.1f} s"


def _line(times: list[datetime]) -> str:
    """The times, with a date only where it changes."""
    words, day = [], None
    for time in times:
        words.append(f"{time:%H:%M}" if time.date() == day else f"{time:%a %d %b %H:%M}")
        day = time.date()
    return ", ".join(words) or "never: it is switched off"
