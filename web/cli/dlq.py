"""`flask dlq …`: the dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from queues import dead_letters
from queues.dead_letters import DeadLetter, Moved, NoDeadLetter
from queues.names import BY_PRIORITY, options
from web.cli import output
from web.cli.command import Group, example, json_option

ERROR_WIDTH = 92  # characters of an error in a list: two lines of its column

commands = Group("dlq", help="Dead letters: jobs that failed for good.")

queue_option = click.option("--queue", metavar="QUEUE", help="Only this queue.")
all_option = click.option("--all", "everything", is_flag=True, help="All of them, or of --queue.")


@commands.command("list", epilog=example("flask dlq list", "flask dlq list --queue crm-events --page 2"))
@queue_option
@click.option("--page", default=1, show_default=True, type=click.IntRange(1), help="Which page.")
@click.option("--per-page", default=20, show_default=True, type=click.IntRange(1, 500), help="Its length.")
@json_option
def list_(queue: str | None, page: int, per_page: int, as_json: bool) -> None:
    """List dead letters, the latest first."""
    total = dead_letters.count(queue)
    letters = dead_letters.page(queue, offset=(page - 1) * per_page, limit=per_page)
    if as_json:
        output.as_json({"total": total, "page": page, "dead_letters": [_brief(each) for each in letters]})
        return
    rows = ((_title(each), each.queue, output.ago(each.failed_at)) for each in letters)
    pages = -(-total // per_page)
    none = "There are no dead letters here. 🎉" if not total else f"There is no page {page}."
    output.table(["Dead letter", "Queue", "Failed"], rows, empty=none)
    if total > len(letters):
        following = f" Next: --page {page + 1}" if page < pages else ""
        output.console().print(f"\nPage {page} of {pages}, {total:,} in all.{following}")


@commands.command("show", epilog=example("flask dlq show event-66f0c1d2e3a4b5c6d7e8f901"))
@click.argument("job_id", metavar="ID")
@json_option
def show(job_id: str, as_json: bool) -> None:
    """Show one dead letter, with its arguments and traceback."""
    letter = asdict(dead_letters.get(job_id))
    if as_json:
        output.as_json(letter)
        return
    traceback = letter.pop("traceback")
    output.fields((name.replace("_", " "), value) for name, value in letter.items())
    if traceback:
        click.echo(f"\n{output.harmless(traceback)}")


@commands.command(
    "requeue",
    epilog=example(
        "flask dlq requeue event-66f0c1d2e3a4b5c6d7e8f901", "flask dlq requeue --queue crm-events --all"
    ),
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@queue_option
@all_option
@json_option
def requeue(ids: tuple[str, ...], queue: str | None, everything: bool, as_json: bool) -> None:
    """Put dead letters back on their queues, each with all its retries."""
    _check(ids, queue, everything)
    moved = _move("Requeueing", ids, queue, dead_letters.requeue, dead_letters.requeue_all)
    _report("requeued", moved, as_json)


@commands.command(
    "purge",
    epilog=example(
        "flask dlq purge event-66f0c1d2e3a4b5c6d7e8f901", "flask dlq purge --queue analytics --all --yes"
    ),
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@queue_option
@all_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def purge(ids: tuple[str, ...], queue: str | None, everything: bool, yes: bool, as_json: bool) -> None:
    """Delete dead letters for good, with their results."""
    _check(ids, queue, everything)
    number = len(ids) or dead_letters.count(queue)
    if number and not yes:
        where = f" of {queue}" if queue else ""
        click.confirm(f"Delete {number:,} dead letters{where} for good?", abort=True, err=True)
    moved = _move("Deleting", ids, queue, dead_letters.purge, dead_letters.purge_all)
    _report("purged", moved, as_json)


def _check(ids: tuple[str, ...], queue: str | None, everything: bool) -> None:
    if ids and (everything or queue):
        raise click.UsageError("Give ids, or --all (with --queue for one queue), not both.")
    if not ids and not everything:
        scope = f"all of {queue}" if queue else "all"
        raise click.UsageError(f"Give the ids of dead letters, or add --all for {scope}.")
    if queue:
        options(queue)


def _move(
    what: str,
    ids: tuple[str, ...],
    queue: str | None,
    some: Callable[[tuple[str, ...]], Moved],
    all_of: Callable[[str], Iterator[Moved]],
) -> Moved:
    if ids:
        return some(ids)
    done = gone = 0
    with output.progress(what, dead_letters.count(queue)) as bar:
        for name in [queue] if queue else BY_PRIORITY:
            for moved in all_of(name):
                done, gone = done + moved.done, gone + moved.gone
                bar.advance(bar.task_ids[0], moved.done + moved.gone)
    return Moved(done, gone=gone)


def _report(verb: str, moved: Moved, as_json: bool) -> None:
    if as_json:
        output.as_json({verb: moved.done, "gone": moved.gone, "missing": moved.missing})
    else:
        gone = f"; the data of {moved.gone} had expired" if moved.gone else ""
        output.console().print(f"{moved.done:,} {verb}{gone}.")
    if moved.missing:
        raise NoDeadLetter(f"no dead letter has the id {', '.join(moved.missing)}; see: flask dlq list")


def _brief(letter: DeadLetter) -> dict[str, Any]:
    names = ("id", "queue", "func", "description", "error", "created_at", "failed_at", "expires_at")
    return {name: getattr(letter, name) for name in names}


def _title(letter: DeadLetter) -> Text:
    error = letter.error if len(letter.error) <= ERROR_WIDTH else f"{letter.error[: ERROR_WIDTH - 1]}…"
    return Text.assemble((letter.id, "bold"), "\n", (error, "dim"))
