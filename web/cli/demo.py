"""`flask demo …`: the demo workspace."""

from __future__ import annotations

from dataclasses import asdict

from web import demo_data
from web.cli import output
from web.cli.command import Group, example, json_option

commands = Group("demo", help="The demo workspace.")


@commands.command("load", epilog=example("flask demo load", "flask demo load --json"))
@json_option
def load(as_json: bool) -> None:
    """Put the demo workspace into the store. Safe to repeat: what is there stays as it is."""
    with output.progress("Loading the demo workspace …"):
        loaded = demo_data.load()
    if as_json:
        output.as_json(asdict(loaded))
        return
    news = f"{loaded.added} documents added" if loaded.added else "it was there already"
    output.console().print(f'Demo workspace "{loaded.name}" {loaded.workspace_id}: {news}.')
