"""How the commands print: tables of at most 80 columns for people, JSON for programs, progress on stderr."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

WIDTH = 80  # columns; what a plain terminal has
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed: they steer terminals
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def as_json(data: Any) -> None:
    """One JSON document on stdout. Times in ISO 8601."""
    text = json.dumps(data, indent=2, ensure_ascii=not _is_unicode(), default=_plain)
    click.echo(CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _is_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def harmless(text: str) -> str:
    """What came from outside, without what would steer the operator's terminal; as long as it was."""
    return CONTROL.sub("\ufffd", text)


def console() -> Console:
    # Made anew each time: it must see the stdout of this moment.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without emojis still shows the rest
    return Console(file=sys.stdout, width=WIDTH, highlight=False, soft_wrap=False)


def table(
    columns: Sequence[str | tuple[str, Literal["right"]]], rows: Iterable[Sequence[Any]], *, empty: str
) -> None:
    """Print a table; a column is a title or (title, "right"). Without rows the sentence `empty`."""
    grid = Table(box=None, pad_edge=False, header_style="bold", width=None)
    for column in columns:
        title, *is_right = [column] if isinstance(column, str) else column
        grid.add_column(title, justify="right" if is_right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(_text(cell) for cell in row))
    console().print(grid if grid.row_count else empty)


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print names and values below each other; values that are None or empty are left out."""
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", (), [], {}):
            grid.add_row(name, _text(value))
    console().print(grid)


def _text(value: Any) -> Text:
    text = value.copy() if isinstance(value, Text) else Text(_readable(value))
    text.plain = harmless(text.plain)
    return text


def _readable(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC ({ago(value)})"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def ago(moment: datetime | None) -> str:
    """Like "3 min ago" or "in 2 h"; a dash for no moment."""
    if moment is None:
        return "–"
    elapsed = datetime.now(UTC) - moment
    text = span(abs(elapsed))
    return f"{text} ago" if elapsed >= timedelta() else f"in {text}"


def span(length: timedelta) -> str:
    """A length of time in its largest unit."""
    seconds = int(length.total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds // size} {unit}"


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Progress]:
    """A bar, or with no total a spinner, on stderr; only when that is a terminal. Task 0 is the work."""
    columns = (BarColumn(), MofNCompleteColumn()) if total is not None else ()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        *columns,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        bar.add_task(what, total=total)
        yield bar
