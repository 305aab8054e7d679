"""`flask cron …`: the cron table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cron_descriptor import get_description

from jobs.schedule import SCHEDULE
from queues.cron import CronEntry
from web.cli import output
from web.cli.command import Group, example, json_option

TIMES = 5  # next times shown of each entry

commands = Group("cron", help="The cron table.")


@commands.command("list", epilog=example("flask cron list"))
@json_option
def list_(as_json: bool) -> None:
    """List the cron table, with the next five times of each entry in its own time zone."""
    entries = [describe(entry, datetime.now(UTC)) for entry in SCHEDULE]
    if as_json:
        output.as_json(entries)
        return
    for entry in entries:
        output.fields(
            [
                (entry["name"], entry["description"]),
                ("when", f"{entry['meaning']} ({entry['cron']}, {entry['time_zone']})"),
                ("next", _line(entry["next"])),
            ]
        )
        output.console().print()


def describe(entry: CronEntry, moment: datetime) -> dict[str, Any]:
    """The entry, what its cron line means in English, and when it is due after `moment`."""
    times = [entry.next_after(moment)]
    while len(times) < TIMES:
        times.append(entry.next_after(times[-1]))
    return {
        "name": entry.name,
        "cron": entry.cron,
        "meaning": get_description(entry.cron),
        "time_zone": entry.zone.key,
        "queue": entry.queue,
        "description": entry.description,
        "next": [time.astimezone(entry.zone) for time in times],
    }


def _line(times: list[datetime]) -> str:
    """The times, with a date only where it changes."""
    words, day = [], None
    for time in times:
        words.append(f"{time:%H:%M}" if time.date() == day else f"{time:%a %d %b %H:%M}")
        day = time.date()
    return ", ".join(words)
