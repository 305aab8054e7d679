"""The catalogue of events and their reactions as docs/events.md shows them, and the JSON Schema.

`python -m tests.events_docs` writes both files anew; tests/schemas/test_export.py checks that somebody has.
"""

from __future__ import annotations

from pathlib import Path

import schemas
from consumers import dispatch
from consumers.registry import reactions
from schemas import authority, export
from schemas.event import Event, catalogue

assert schemas.__all__  # importing the package registers every event

DOCS = Path(__file__).parents[1] / "docs"
PAGE, SCHEMA = DOCS / "events.md", DOCS / "events.schema.json"


def page() -> str:
    """The page with its tables as they should be."""
    return _with(_with(PAGE.read_text(), "catalogue", table()), "reactions", reaction_table())


def _with(text: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name}: made by python -m tests.events_docs -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{table}\n{end}{after}"


HEAD = "| event | version | when | record | once per | published by |"


def table() -> str:
    """The catalogue as a Markdown table."""
    rows = [_row(kind) for kind in catalogue().values()]
    return "\n".join([HEAD, "|---|---|---|---|---|---|", *rows])


def reaction_table() -> str:
    """From event to reactions, as a Markdown table. That automations are checked is said once."""
    dispatch.load_reactions()
    rows = [f"| `{kind}` | {_verbs(kind)} |" for kind in catalogue()]
    return "\n".join(["| event | reactions |", "|---|---|", *rows])


def _verbs(kind: str) -> str:
    names = sorted(name for name in reactions(kind) if name != "check_automations")
    return ", ".join(name.replace("_", " ") for name in names)


def _row(kind: type[Event]) -> str:
    when = " ".join((kind.__doc__ or "").split())
    about, unique = (_names(kind, fields) for fields in (kind.about, kind.unique_by))
    return f"| `{kind.type}` | {kind.version} | {when} | {about} | {unique} | {_publisher(kind.type)} |"


def _publisher(kind: str) -> str:
    if only := authority.OURS.get(kind):
        return f"Clianta alone: {only}"
    also = authority.ALSO_OURS.get(kind)
    return f"the CRM; {also}" if also else "the CRM"


def _names(kind: type[Event], fields: tuple[str, ...]) -> str:
    return ", ".join(f"`{kind.model_fields[field].alias}`" for field in fields)


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(export.text())
