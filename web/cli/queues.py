"""`flask queues`: what they hold, which are paused, and emptying one."""

from __future__ import annotations

import getpass
from dataclasses import asdict

import click

from queues import counts, pause
from queues.connection import redis
from queues.names import options
from queues.queue import Queue
from web.cli import output
from web.cli.command import Group, example, json_option

COLUMNS = ("waiting", "running", "scheduled", "failed", "finished")


@click.group(
    "queues",
    cls=Group,
    invoke_without_command=True,
    epilog=example("flask queues", "flask queues pause ai-jobs --reason 'the model is away'"),
)
@json_option
@click.pass_context
def commands(context: click.Context, as_json: bool) -> None:
    """Show how many jobs each queue holds, by state; pause, resume and empty queues."""
    if context.invoked_subcommand:
        return
    rows, paused = [asdict(row) for row in counts.counts()], pause.paused()
    if as_json:
        shown = [{name: row[name] for name in ("name", *COLUMNS)} for row in rows]
        told = {name: asdict(entry) for name, entry in paused.items()}
        output.as_json([row | {"paused": told.get(str(row["name"]))} for row in shown])
        return
    output.table(
        ["Queue", *((title.capitalize(), "right") for title in COLUMNS)],
        ([row["name"], *(row[title] for title in COLUMNS)] for row in rows),
        empty="There are no queues.",
    )
    _tell_more(sum(row["failed"] for row in rows), paused)


def _tell_more(dead: int, paused: dict[str, pause.Pause]) -> None:
    for name, entry in paused.items():
        reason = f": {entry.reason}" if entry.reason else ""
        output.console().print(f"\n{name} is paused by {entry.by} since {entry.at}{reason}", markup=False)
    if dead:
        output.console().print(f"\n{dead:,} dead letters. Look at them with: flask dlq list")


@commands.command("pause", epilog=example("flask queues pause ai-jobs --reason 'the model is away'"))
@click.argument("queue")
@click.option("--reason", default="", help="Why; shown to the others.")
@click.option("--by", default=getpass.getuser, help="Who; your login name if not given.")
@json_option
def pause_(queue: str, reason: str, by: str, as_json: bool) -> None:
    """Let a queue's jobs wait; running ones end, new ones are accepted."""
    _report(queue, "paused", pause.pause(queue, by=by, reason=reason), as_json)


@commands.command("resume", epilog=example("flask queues resume ai-jobs"))
@click.argument("queue")
@json_option
def resume(queue: str, as_json: bool) -> None:
    """Let a paused queue go on."""
    _report(queue, "running", pause.resume(queue), as_json)


@commands.command("empty", epilog=example("flask queues empty ai-jobs", "flask queues empty ai-jobs --yes"))
@click.argument("queue")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def empty(queue: str, yes: bool, as_json: bool) -> None:
    """Delete the jobs that wait on a queue, and cancel what waits for them.

    Running, delayed and failed jobs stay. Events come back: the relay enqueues those whose job is gone.
    """
    emptied = Queue(options(queue).name, connection=redis())
    number = emptied.count
    if number and not yes:
        click.confirm(f"Delete {number:,} waiting jobs of {queue} for good?", abort=True, err=True)
    deleted = 0
    with output.progress("Deleting", number) as bar:
        for part in emptied.empty_in_parts():
            deleted += part
            bar.advance(bar.task_ids[0], part)
    if as_json:
        output.as_json({"queue": queue, "deleted": deleted})
    else:
        output.console().print(f"{deleted:,} jobs of {queue} deleted.")


def _report(queue: str, state: str, is_new: bool, as_json: bool) -> None:
    if as_json:
        output.as_json({"queue": queue, "state": state, "changed": is_new})
    else:
        output.console().print(f"{queue} is {state}{'' if is_new else ' already'}.")
