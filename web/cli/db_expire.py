"""`flask db expire`: what was stored before it was to expire."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Literal

import click

from models import retention_backfill
from models.retention_backfill import Found
from web.cli import output
from web.cli.command import example, json_option
from web.cli.db import commands

COLUMNS: list[str | tuple[str, Literal["right"]]] = [
    "collection",
    *((title, "right") for title in ("kept for days", "without an end", "time is over")),
]
EXAMPLES = example("flask db expire --dry-run", "flask db expire --per-second 500")


@commands.command("expire", epilog=EXAMPLES)
@click.option(
    "--per-second", type=click.IntRange(1, 10_000), default=500, show_default=True, help="The pace."
)
@click.option("--dry-run", is_flag=True, help="Only tell what there is.")
@json_option
def expire(per_second: int, dry_run: bool, as_json: bool) -> None:
    """Give an end to what was stored while nothing expired: done events, visits, notices.

    Needed once, after an upgrade, or after a KEEP_DAYS setting was 0. Safe to repeat. What is older than its
    setting allows is deleted by the store within minutes.
    """
    found = retention_backfill.census()
    ended: Counter[str] = Counter() if dry_run else _apply(found, per_second)
    if as_json:
        kinds = [{**asdict(each), "ended": ended[each.name]} for each in found]
        output.as_json({"dry_run": dry_run, "collections": kinds})
        return
    rows = [(each.name, each.days or "ever", each.endless, each.over) for each in found]
    output.table(COLUMNS, rows, empty="")
    text = "Nothing was changed." if dry_run else f"{ended.total()} documents have an end now."
    output.console().print(f"\n{text}")


def _apply(found: list[Found], per_second: int) -> Counter[str]:
    ended: Counter[str] = Counter()
    with output.progress("Giving ends …", total=sum(each.endless for each in found if each.days)) as bar:
        for name, changed in retention_backfill.apply(per_second):
            ended[name] += changed
            bar.advance(bar.task_ids[0], changed)
    return ended
