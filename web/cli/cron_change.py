"""`flask cron pause`, `resume`, `set`, `reset`: changes to the cron table at run time."""

from __future__ import annotations

import getpass
from contextlib import suppress
from typing import Any
from zoneinfo import available_timezones

import click
from croniter import croniter
from rich.text import Text

from jobs import schedule
from models.cron_override import CronOverride
from queues import cron_control
from queues.connection import RedisError
from web.cli import output
from web.cli.command import example
from web.cli.cron import commands, words

__all__ = ["commands"]

by_option = click.option("--by", default=getpass.getuser, help="Who does it; by default the user logged in.")


@commands.command("pause", epilog=example('flask cron pause email-sync --reason "server is being moved"'))
@click.argument("name")
@click.option("--reason", required=True, help="Why; its skipped ticks are on record with it.")
@by_option
def pause(name: str, reason: str, by: str) -> None:
    """Skip a job's ticks until it is resumed."""
    CronOverride.pause(schedule.entry(name).name, by, reason)
    _changed(f"{name} is paused.")


@commands.command("resume", epilog=example("flask cron resume email-sync"))
@click.argument("name")
def resume(name: str) -> None:
    """Let a paused job run again, from its next tick on."""
    was_paused = CronOverride.resume(schedule.entry(name).name)
    _changed(f"{name} runs again." if was_paused else f"{name} was not paused.")


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
def set_(name: str, reason: str, by: str, **changes: Any) -> None:
    """Change when a job runs. It outlives deploys, until `flask cron reset`."""
    given = {field: value for field, value in changes.items() if value is not None}
    _check(given)
    CronOverride.change(schedule.entry(name).name, by, reason, **given)
    _changed(f"{name} is changed: {words(given)}.")


@commands.command("reset", epilog=example("flask cron reset email-sync"))
@click.argument("name")
@by_option
def reset(name: str, by: str) -> None:
    """Let a job run as the code says again. A pause stays."""
    had_changes = CronOverride.reset(schedule.entry(name).name, by)
    _changed(f"{name} runs as the code says." if had_changes else f"{name} has no override.")


def _changed(sentence: str) -> None:
    with suppress(RedisError):  # the scheduler looks at the store at each wake-up anyway
        cron_control.ring()
    output.console().print(Text(sentence))


def _check(changes: dict[str, Any]) -> None:
    if not changes:
        raise click.UsageError("give --cron, --time-zone, --on or --off")
    line = changes.get("cron", "* * * * *")
    if len(line.split()) != 5 or not croniter.is_valid(line):
        raise click.BadParameter(f"{line!r} is not a cron line of five fields", param_hint="--cron")
    zone = changes.get("time_zone", "UTC")
    if zone not in available_timezones():
        raise click.BadParameter(f"{zone!r} is not a time zone; like Europe/Berlin", param_hint="--time-zone")
