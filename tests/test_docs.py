"""The documents say what is so: settings, commands, files, and the example that a newcomer types first."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.activity import Activity
from models.contact import Contact
from queues import names
from tests import settings_docs
from web import demo_data

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")}


def test_the_readmes_table_of_settings_is_that_of_config() -> None:
    assert settings_docs.readme() == README, "run: python -m tests.settings_docs"
    assert settings_docs.table() in README


def test_the_example_environment_names_every_setting() -> None:
    assert settings_docs.EXAMPLE.read_text() == settings_docs.example(), "run: python -m tests.settings_docs"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files_that_exist(name: str) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", DOCUMENTS[name])

    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_links_within_the_readme_lead_to_headings() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make ([a-z]+)", DOCUMENTS[name], re.MULTILINE)) <= targets


def test_make_help_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (.+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\S+) +\S", told, re.MULTILINE) == targets


def test_folders_of_the_readme_exist() -> None:
    assert [
        name for name in re.findall(r"^\| `(\w+/)` \|", README, re.MULTILINE) if not (ROOT / name).is_dir()
    ] == []


def test_every_flask_command_of_the_readme_exists(client: FlaskClient) -> None:
    app: Flask = client.application
    named = set(re.findall(r"`flask ([a-z-]+)(?: ([a-z]+))?", README))

    assert {group for group, _ in named} >= {"dlq", "jobs", "cron", "queues", "events", "demo", "db", "env"}
    for group, command in named:
        assert group in app.cli.commands, group
        assert not command or command in app.cli.commands[group].commands, f"{group} {command}"  # type: ignore[attr-defined]


def test_every_group_of_commands_stands_in_the_readme(client: FlaskClient) -> None:
    app: Flask = client.application
    ours = {
        name
        for name, command in app.cli.commands.items()
        if (command.callback or command).__module__.startswith("web")
    }
    assert len(ours) >= 8
    assert {name for name in ours if f"`flask {name}" not in README} == set()


def test_queues_of_the_readme_exist() -> None:
    assert set(re.findall(r"--queue ([\w-]+)", README)) <= names.QUEUES.keys()


def test_the_readmes_example_works_as_it_stands(client: FlaskClient, run_jobs: Callable[[], int]) -> None:
    demo_data.load()
    example = re.search(r"```sh\n(curl .*?)```", README, re.DOTALL)
    assert example is not None
    words = shlex.split(example[1].replace("\\\n", ""))
    path = next(word for word in words if word.startswith("http")).removeprefix("http://localhost:5000")
    body = json.loads(words[words.index("-d") + 1])
    shown = re.search(r"```json\n(.*?)```", README, re.DOTALL)
    assert shown is not None

    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.get_json() == json.loads(shown[1].replace("…", answer.get_json()["data"]["contactId"]))

    run_jobs()
    contact = Contact.objects.get(email=body["email"])
    assert contact.lead_grade in ("A", "B", "C")
    assert contact.assigned_to is not None
    assert Activity.objects(contact_id=contact.id).count() >= 1


def test_links_of_the_page_of_events_lead_to_files_that_exist() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page)

    assert targets
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []


def test_railways_web_command_is_the_procfiles() -> None:
    web = (ROOT / "Procfile").read_text().splitlines()[0].removeprefix("web: ")

    assert f"`{web.replace('${PORT:-5000}', '$PORT')}`" in README
