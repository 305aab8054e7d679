"""`flask queues`: what is waiting, running, scheduled, failed and finished."""

from __future__ import annotations

from dataclasses import asdict

from queues import counts
from web.cli import output
from web.cli.command import example, json_option, single

COLUMNS = ("waiting", "running", "scheduled", "failed", "finished")


@single("queues", epilog=example("flask queues", "flask queues --json"))
@json_option
def show(as_json: bool) -> None:
    """Show how many jobs each queue holds, by state."""
    rows = [asdict(row) for row in counts.counts()]
    if as_json:
        output.as_json([{name: row[name] for name in ("name", *COLUMNS)} for row in rows])
        return
    output.table(
        ["Queue", *((title.capitalize(), "right") for title in COLUMNS)],
        ([row["name"], *(row[title] for title in COLUMNS)] for row in rows),
        empty="There are no queues.",
    )
    dead = sum(row["failed"] for row in rows)
    if dead:
        output.console().print(f"\n{dead:,} dead letters. Look at them with: flask dlq list")
