"""`flask cron pause`, `resume`, `set`, `reset`: changes to the cron table at run time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

import click
from croniter import croniter
from rich.text import Text

from jobs import schedule
from models.cron_override import CronOverride
from queues import cron_control
from queues.connection import RedisError
from web.cli import output, whoami
from web.cli.command import example, json_option
from web.cli.cron import commands, describe, words

__all__ = ["commands"]

by_option = click.option("--by", default=whoami.user, help="Who does it; by default the user logged in.")


@commands.command("pause", epilog=example('flask cron pause email-sync --reason "server is being moved"'))
@click.argument("name")
@click.option("--reason", required=True, help="Why; its skipped ticks are on record with it.")
@by_option
@json_option
def pause(name: str, reason: str, by: str, as_json: bool) -> None:
    """Skip a job's ticks until it is resumed."""
    CronOverride.pause(schedule.entry(name).name, by, reason)
    _changed(name, as_json, f"{name} is paused.")


@commands.command("resume", epilog=example("flask cron resume email-sync"))
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Let a paused job run again, from its next tick on."""
    was_paused = CronOverride.resume(schedule.entry(name).name)
    _changed(name, as_json, f"{name} runs again." if was_paused else f"{name} was not paused.")


@commands.command(
    "set",
    epilog=example('flask cron set email-sync --cron "*/15 * * * *"', "flask cron set email-sync --off"),
)
@click.argument("name")
@click.option("--cron", help="Five fields, like '0 9 * * 1-5'.")
@click.option("--time-zone", help="Like Europe/Berlin.")
@click.option("--on/--off", "enabled", default=None, help="Whether it is scheduled at all.")
@click.option("--reason", default="", help="Why.")
@by_option
@json_option
def set_(name: str, reason: str, by: str, as_json: bool, **changes: Any) -> None:
    """Change when a job runs. It outlives deploys, until `flask cron reset`."""
    given = {field: value for field, value in changes.items() if value is not None}
    _check(given)
    CronOverride.change(schedule.entry(name).name, by, reason, **given)
    _changed(name, as_json, f"{name} is changed: {words(given)}.")


@commands.command("reset", epilog=example("flask cron reset email-sync"))
@click.argument("name")
@by_option
@json_option
def reset(name: str, by: str, as_json: bool) -> None:
    """Let a job run as the code says again. A pause stays."""
    had_changes = CronOverride.reset(schedule.entry(name).name, by)
    _changed(name, as_json, f"{name} runs as the code says." if had_changes else f"{name} has no override.")


def _changed(name: str, as_json: bool, sentence: str) -> None:
    """Wake a scheduler, and say how the entry is now."""
    with suppress(RedisError):  # the scheduler looks at the store at each heartbeat anyway
        cron_control.ring()
    if not as_json:
        output.console().print(Text(sentence))
        return
    override = CronOverride.of(name)
    output.as_json(describe(schedule.overridden(schedule.entry(name), override), override, datetime.now(UTC)))


def _check(changes: dict[str, Any]) -> None:
    if not changes:
        raise click.UsageError("give --cron, --time-zone, --on or --off")
    line = changes.get("cron", "* * * * *")
    if len(line.split()) != 5 or not croniter.is_valid(line):
        raise click.BadParameter(f"{line!r} is not a cron line of five fields", param_hint="--cron")
    zone = changes.get("time_zone", "UTC")
    if zone not in available_timezones():
        raise click.BadParameter(f"{zone!r} is not a time zone; like Europe/Berlin", param_hint="--time-zone")
