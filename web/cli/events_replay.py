"""`flask events replay`: handle again what is not done."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from models.event import DONE, EventRecord
from models.event_window import Count, Window
from publishers import replay
from schemas.event import catalogue, versions
from web.cli import output
from web.cli.command import example, json_option
from web.cli.events import commands

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])
EXAMPLES = example(
    "flask events replay --dry-run",
    "flask events replay --type contact.created --since 2026-02-01 --until 2026-03-01 --per-second 20",
)


@commands.command("replay", epilog=EXAMPLES)
@click.option("--type", "types", multiple=True, help="Only events of this type; may be repeated.")
@click.option("--since", type=MOMENT, help="Accepted at or after this time, in UTC.")
@click.option("--until", type=MOMENT, help="Accepted before this time, in UTC.")
@click.option("--per-second", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The pace.")
@click.option("--dry-run", is_flag=True, help="Only tell what there is.")
@json_option
def run(
    types: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    per_second: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Handle the events again that are not done: failed, lost, or unknown before a deploy.

    Nothing that took effect is repeated. Without --since and --until it is the whole ledger.
    """
    for name in types:
        _check(name)
    window = Window(types, _utc(since), _utc(until))
    found = window.census()
    unfinished = sum(count.events for count in found if count.status != DONE)
    replayed = 0 if dry_run else _replay(window, unfinished, per_second)
    if as_json:
        output.as_json(
            {
                "dry_run": dry_run,
                "done": sum(count.events for count in found) - unfinished,
                "unfinished": unfinished,
                "replayed": replayed,
                "events": [{**asdict(count), "is_known": _is_known(count)} for count in found],
            }
        )
    else:
        _show(found, unfinished, replayed, dry_run)


def _check(name: str) -> None:
    if name not in catalogue() and not EventRecord.objects(type=name).only("id").first():
        raise click.ClickException(f"there is no event type {name!r}; flask events schema lists them")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _replay(window: Window, unfinished: int, per_second: int) -> int:
    replayed = 0
    with output.progress("Replaying …", total=unfinished) as bar:
        for step in replay.replay(window, per_second):
            replayed += step.replayed
            bar.advance(bar.task_ids[0], step.seen)
    return replayed


def _show(found: list[Count], unfinished: int, replayed: int, dry_run: bool) -> None:
    rows = [
        (count.type, count.version, count.status, count.events, "" if _is_known(count) else "unknown here")
        for count in found
        if count.status != DONE
    ]
    if rows:
        output.table(["event", ("version", "right"), "status", ("events", "right"), ""], rows, empty="")
    text = f"{unfinished} events are not done; " + (
        "a replay would handle those that have no job." if dry_run else f"{replayed} were put on the queue."
    )
    output.console().print(text if unfinished else "Every event is done: there is nothing to replay.")


def _is_known(count: Count) -> bool:
    return count.version in versions(count.type)
