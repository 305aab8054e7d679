"""`flask queues|events|db|demo`, and what all commands have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask

from models.activity import Activity
from models.contact import Contact
from models.form import Form
from models.store import documents
from models.trigger import Trigger
from models.workspace import Workspace
from publishers import events
from queues.connection import redis
from queues.enqueue import RedisError
from queues.names import BY_PRIORITY
from sandbox.process import free_port
from schemas.contact import ContactCreated
from tests import failing
from tests.publishers.ageing import make_due
from tests.web.cli.conftest import Flask_, Shell
from web import demo_data

Json = Callable[..., Any]
OURS = (
    *("business-profile", "contacts", "cron", "db", "demo", "dlq", "env", "events", "jobs", "mailboxes"),
    *("queues", "tokens", "workspaces"),
)
NO_ID = "0" * 24


def all_commands(app: Flask) -> Iterator[tuple[str, click.Command]]:
    for name in OURS:
        command = app.cli.commands[name]
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", each) for sub, each in command.commands.items())
        else:
            yield name, command


def test_every_command_takes_json_and_shows_an_example(app: Flask, flask: Flask_) -> None:
    names = [name for name, _ in all_commands(app)]
    assert len(names) >= 15
    for name in names:
        text = flask(*name.split(), "--help").stdout
        assert "--json" in text, name
        assert f"  flask {name}" in text or name == "env", name
        assert max(map(len, text.splitlines())) <= 100


def test_no_table_is_wider_than_80_columns(flask: Flask_) -> None:
    ids = failing.enqueue(2, queue="crm-workflow-bridge", func="break_down")
    failing.bury(ids, f"ValueError: {'a long story ' * 40}")
    for args in (("queues",), ("dlq", "list"), ("dlq", "show", ids[0]), ("jobs", "list"), ("cron", "list")):
        lines = flask(*args).stdout.split("\nTraceback")[0].splitlines()
        assert max(map(len, lines)) <= 80, args


def test_queues_counts_jobs_by_state(flask: Flask_, flask_json: Json) -> None:
    failing.bury(failing.enqueue(2))
    failing.enqueue(1, queue="analytics")
    rows = {row["name"]: row for row in flask_json("queues")}
    assert list(rows) == BY_PRIORITY
    assert rows["crm-events"] == {
        **{"name": "crm-events", "waiting": 0, "running": 0, "scheduled": 0, "failed": 2, "finished": 0},
        "paused": None,
    }
    assert rows["analytics"]["waiting"] == 1
    assert "2 dead letters. Look at them with: flask dlq list" in flask("queues").stdout


def test_an_event_is_shown_with_its_reactions_and_job(
    flask: Flask_, flask_json: Json, run_jobs: Callable[[], int]
) -> None:
    workspace = Workspace(name="Acme").save()
    contact, _ = Contact.upsert(workspace.id, "a@b.test", {})
    event_id = events.publish(
        ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="api"),
        correlation_id="request-7",
    )
    before = flask_json("events", "show", event_id)
    assert (before["status"], before["job_status"]) == ("pending", "queued")
    assert (before["type"], before["correlation_id"]) == ("contact.created", "request-7")
    assert before["reactions_done"] == []
    assert "score_lead" in before["reactions_missing"]

    run_jobs()
    after = flask_json("events", "show", event_id)
    assert (after["status"], after["job_status"], after["reactions_missing"]) == ("done", "finished", [])
    assert after["reactions_done"] == sorted(before["reactions_missing"])
    assert "reactions done" in flask("events", "show", event_id).stdout


@pytest.mark.parametrize("event_id", [NO_ID, "nonsense", "../../etc"])
def test_an_unknown_event_is_a_clear_error(flask: Flask_, event_id: str) -> None:
    result = flask("events", "show", event_id)
    assert result.exit_code == 1
    assert result.stderr == f"Error: there is no event {event_id} in the ledger; an id has 24 hex digits\n"


def test_relay_enqueues_what_never_reached_redis(flask_json: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> int:
        raise RedisError("away")

    with monkeypatch.context() as patched:
        patched.setattr("queues.enqueue.enqueue_many", away)
        events.publish(ContactCreated(workspace_id=NO_ID, contact_id=NO_ID, source="api"))
    make_due()
    assert flask_json("events", "relay") == {"relayed": 1}
    assert flask_json("events", "relay") == {"relayed": 0}
    assert redis().llen("rq:queue:crm-events") == 1


def test_the_schema_of_the_events_is_printed_or_written(
    flask: Flask_, flask_json: Json, tmp_path: Path
) -> None:
    file = tmp_path / "events.schema.json"
    printed = json.loads(flask("events", "schema").stdout)

    assert flask_json("events", "schema", "--file", str(file)) == {
        "events": len(printed["oneOf"]),
        "file": str(file),
    }
    assert json.loads(file.read_text()) == printed == flask_json("events", "schema")


def test_db_indexes_creates_what_is_missing(flask_json: Json) -> None:
    Activity._get_collection().drop_index("source_1")
    assert flask_json("db", "indexes") == {"collections": len(documents())}
    assert "source_1" in Activity._get_collection().index_information()


def test_the_demo_is_loaded_once(flask: Flask_, flask_json: Json, run_jobs: Callable[[], int]) -> None:
    first = flask_json("demo", "load")
    run_jobs()
    assert first["workspace_id"] == str(demo_data.WORKSPACE_ID)
    assert first["added"] >= 8
    assert Form.objects.get(id=first["form_id"]).missing(set()) == ["email"]
    workspace = Workspace.objects.get()
    assert [member.name for member in workspace.members] == [name for _, name, _, _ in demo_data.MEMBERS]
    assert workspace.allows_origin("http://localhost:8080")
    assert not workspace.allows_origin("https://evil.test")
    contacts = list(Contact.objects)
    assert len(contacts) == len(demo_data.CONTACTS)
    assert all(contact.lead_grade and contact.assigned_to for contact in contacts)
    told = Activity.objects(kind="contact_created")
    assert told.count() == len(contacts)

    Workspace.objects.update_one(set__name="Acme & Daughters")
    assert flask_json("demo", "load")["added"] == 0
    run_jobs()
    assert Workspace.objects.get().name == "Acme & Daughters"  # what was edited stays
    assert (Contact.objects.count(), Trigger.objects.count(), told.count()) == (5, 1, 5)
    assert "it was there already" in flask("demo", "load").stdout


@pytest.mark.parametrize(
    "command", ["queues", "dlq list", "dlq requeue --all", "jobs run email-sync", "dlq show x"]
)
def test_an_absent_redis_is_one_line_and_exit_code_1(shell: Shell, command: str) -> None:
    done = shell(f"flask {command}", REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}/0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: Redis does not answer: start it, or correct REDIS_URL")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


@pytest.mark.parametrize("command", [f"events show {NO_ID}", "demo load", "db indexes"])
def test_an_absent_store_is_one_line_and_exit_code_1(shell: Shell, command: str) -> None:
    uri = f"mongodb://someone:secret@127.0.0.1:{free_port()}/clianta"
    done = shell(f"flask {command}", MONGODB_URI=uri)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: the document store does not answer")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_nothing_but_the_answer_is_on_stdout(shell: Shell) -> None:
    done = shell("flask demo load --json")
    assert json.loads(done.stdout)["name"] == "Acme"


def test_a_terminal_without_emojis_gets_the_rest(shell: Shell) -> None:
    workspace = Workspace(name="Tomáš 🎉").save()
    Contact.upsert(workspace.id, "tomas@navy.test", {"first_name": "Tomáš 🎉"})
    done = shell("flask dlq list && flask contacts show tomas@navy.test", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "There are no dead letters here. ?" in done.stdout
    printed = shell("flask contacts show tomas@navy.test --json", PYTHONIOENCODING="ascii")
    assert json.loads(printed.stdout)[0]["name"] == "Tomáš 🎉"
