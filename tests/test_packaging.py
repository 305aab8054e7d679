"""setup.cfg, the locks and the Procfile say what is there."""

from __future__ import annotations

import configparser
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
NOT_INSTALLED = ("tests", "sandbox", "bench")
LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-bench.txt", "requirements-exporter.txt")
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;([^\\]*))?", re.MULTILINE)

pytestmark = pytest.mark.usefixtures("_store_ready")  # importing the app opens a connection; this closes it


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def listed(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def packages() -> list[str]:
    found = (".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("[a-z]*/**/__init__.py"))
    return sorted(name for name in found if name.split(".")[0] not in (*NOT_INSTALLED, "var"))


def modules() -> list[str]:
    return sorted(path.stem for path in ROOT.glob("*.py"))


def test_setup_lists_exactly_the_modules_and_packages_that_exist(setup: configparser.ConfigParser) -> None:
    assert sorted(listed(setup["options"]["py_modules"])) == modules()
    assert sorted(listed(setup["options"]["packages"])) == packages()


@pytest.mark.parametrize("name", sorted({*modules(), *(name.split(".")[0] for name in packages())}))
def test_the_names_that_we_import_are_ours(name: str) -> None:
    """Top-level names like `jobs` or `schemas` could belong to an installed package."""
    module = importlib.import_module(name)

    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent in (ROOT, ROOT / name)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_with_hashes_and_names_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert [line for line in entries if not LOCKED.match(line)] == []
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index|--extra|--find|--trusted|-e|git\+)", text, re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def pinned(lock: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version, _marker in LOCKED.findall((ROOT / lock).read_text()):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


def unmet(requirements: list[str], lock: str) -> list[str]:
    versions = pinned(lock)
    return [
        str(wanted)
        for wanted in map(Requirement, requirements)
        if not any(
            wanted.specifier.contains(version, prereleases=True)
            for version in versions.get(canonicalize_name(wanted.name), [])
        )
    ]


def test_the_locks_hold_every_requirement_in_its_range(setup: configparser.ConfigParser) -> None:
    production = listed(setup["options"]["install_requires"])
    extras = {
        name: [line for line in listed(group) if not line.startswith("clianta-jobs")]
        for name, group in setup["options.extras_require"].items()
    }

    assert unmet(production, "requirements.txt") == []
    assert unmet([*production, *extras["embedded"], *extras["dev"]], "requirements-dev.txt") == []
    assert unmet([*production, *extras["embedded"], *extras["bench"]], "requirements-bench.txt") == []


def test_both_locks_agree() -> None:
    production, development = pinned("requirements.txt"), pinned("requirements-dev.txt")

    assert {name: v for name, v in production.items() if development.get(name) != v} == {}


def test_production_installs_no_embedded_server(setup: configparser.ConfigParser) -> None:
    embedded = {Requirement(line).name for line in listed(setup["options.extras_require"]["embedded"])}

    assert not {canonicalize_name(name) for name in embedded} & pinned("requirements.txt").keys()


def test_python_3_11_is_the_oldest(setup: configparser.ConfigParser) -> None:
    assert setup["options"]["python_requires"] == ">=3.11"
    assert sys.version_info >= (3, 11)


def processes() -> dict[str, list[str]]:
    lines = (line.split(":", 1) for line in listed((ROOT / "Procfile").read_text()))
    return {name: command.split() for name, command in lines}


def test_the_procfile_starts_what_exists() -> None:
    commands = processes()

    assert commands.keys() == {"web", "worker", "scheduler", "release"}
    assert commands["worker"] == ["python", "worker.py"]
    assert commands["scheduler"] == ["python", "scheduler.py"]
    assert all((ROOT / commands[name][1]).is_file() for name in ("worker", "scheduler"))
    assert commands["web"][:2] == ["gunicorn", "app:app"]
    assert "${HOST:-0.0.0.0}:${PORT:-5000}" in " ".join(commands["web"])


def test_the_release_command_is_one_of_ours() -> None:
    program, group, command = processes()["release"]
    flask = importlib.import_module("app").app

    assert program == "flask"
    assert command in flask.cli.commands[group].commands


def test_heroku_and_railway_get_valid_files() -> None:
    heroku, railway = (json.loads((ROOT / name).read_text()) for name in ("app.json", "railway.json"))

    assert heroku["formation"].keys() == processes().keys() - {"release"}
    assert railway["deploy"]["restartPolicyType"] == "ALWAYS"
    assert "startCommand" not in railway["deploy"]  # each of the three services has its own


def test_heroku_asks_only_for_settings_that_exist() -> None:
    settings = importlib.import_module("config").Settings
    heroku = json.loads((ROOT / "app.json").read_text())

    assert heroku["env"].keys() <= {name.upper() for name in settings.model_fields}
