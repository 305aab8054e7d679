"""`flask db …`: the document store."""

from __future__ import annotations

from models import store
from web.cli import output
from web.cli.command import Group, example, json_option

commands = Group("db", help="The document store.")


@commands.command("indexes", epilog=example("flask db indexes"))
@json_option
def indexes(as_json: bool) -> None:
    """Create the indexes that are missing. Safe at any time."""
    with output.progress("Creating indexes …"):
        count = store.ensure_indexes()
    if as_json:
        output.as_json({"collections": count})
    else:
        output.console().print(f"The indexes of {count} collections are in place.")
