"""The catalogue of events as docs/events.md shows it and as a JSON Schema, both made from schemas/.

`python -m tests.events_docs` writes both files anew; tests/schemas/test_export.py checks that somebody has.
"""

from __future__ import annotations

from pathlib import Path

import schemas
from schemas import export
from schemas.event import Event, catalogue

assert schemas.__all__  # importing the package registers every event

DOCS = Path(__file__).parents[1] / "docs"
PAGE, SCHEMA = DOCS / "events.md", DOCS / "events.schema.json"
BEGIN, END = "<!-- catalogue: made by python -m tests.events_docs -->", "<!-- /catalogue -->"


def page() -> str:
    """The page with its table as it should be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    """The catalogue as a Markdown table."""
    rows = [_row(kind) for kind in catalogue().values()]
    return "\n".join(["| event | version | when | record | once per |", "|---|---|---|---|---|", *rows])


def _row(kind: type[Event]) -> str:
    when = " ".join((kind.__doc__ or "").split())
    about, unique = (_names(kind, fields) for fields in (kind.about, kind.unique_by))
    return f"| `{kind.type}` | {kind.version} | {when} | {about} | {unique} |"


def _names(kind: type[Event], fields: tuple[str, ...]) -> str:
    return ", ".join(f"`{kind.model_fields[field].alias}`" for field in fields)


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(export.text())
