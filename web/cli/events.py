"""`flask events …`: the event ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from consumers import dispatch, registry
from models.event import EventRecord
from models.store import object_id
from publishers import relay as publishers_relay
from queues.connection import redis
from queues.job import Job
from schemas import export
from schemas.event import catalogue
from web.cli import output
from web.cli.command import Group, example, json_option

commands = Group("events", help="The event ledger.")


@commands.command("show", epilog=example("flask events show 66f0c1d2e3a4b5c6d7e8f901"))
@click.argument("event_id", metavar="ID")
@json_option
def show(event_id: str, as_json: bool) -> None:
    """Show how far an event got: its reactions, done and missing, and its job."""
    record = EventRecord.objects(id=object_id(event_id)).first() if object_id(event_id) else None
    if record is None:
        raise click.ClickException(f"there is no event {event_id} in the ledger; an id has 24 hex digits")
    facts = _facts(record)
    if as_json:
        output.as_json(facts)
    else:
        output.fields((name.replace("_", " "), value) for name, value in facts.items())


@commands.command("relay", epilog=example("flask events relay"))
@json_option
def relay(as_json: bool) -> None:
    """Enqueue the accepted events whose job never reached Redis or was lost. The scheduler does it too."""
    with output.progress("Looking for pending events …"):
        count = publishers_relay.relay()
    if as_json:
        output.as_json({"relayed": count})
    else:
        output.console().print(f"{count} events put on the queue.")


@commands.command("schema", epilog=example("flask events schema --file docs/events.schema.json"))
@click.option(
    "--file", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write it there."
)
@json_option
def schema(file: Path | None, as_json: bool) -> None:
    """Print the catalogue of events as JSON Schema, or write it to a file."""
    if file is None:
        output.as_json(export.json_schema())
        return
    file.write_text(export.text())
    if as_json:
        output.as_json({"events": len(catalogue()), "file": str(file)})
    else:
        output.console().print(f"{len(catalogue())} events written to {file}.")


def _facts(record: EventRecord) -> dict[str, Any]:
    dispatch.load_reactions()
    job_id = record.job_id
    status = redis().hget(Job.key_for(job_id), "status")
    return {
        "id": str(record.id),
        "type": record.type,
        "version": record.version,
        "status": record.status,
        "error": record.error,
        "workspace_id": str(record.workspace_id),
        "correlation_id": record.correlation_id,
        "causation_id": record.causation_id,
        "accepted_at": record.accepted_at,
        "done_at": record.done_at,
        "reactions_done": sorted(record.reactions),
        "reactions_missing": [n for n in registry.reactions(record.type) if n not in record.reactions],
        "job_id": job_id,
        "job_status": status.decode() if isinstance(status, bytes) else "not in Redis",
        "payload": dict(record.payload),
    }
