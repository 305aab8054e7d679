"""Run the operators' commands: in this process, or as a user does, in a shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

PROJECT = Path(__file__).parents[3]

Flask_ = Callable[..., Result]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def app(stores: None) -> Flask:
    from app import create_app

    return create_app()


@pytest.fixture
def flask(app: Flask) -> Flask_:
    """`flask("dlq", "list")`: the command's result."""

    def run(*args: str, **options: Any) -> Result:
        return app.test_cli_runner().invoke(args=args, **options)

    return run


@pytest.fixture
def flask_json(flask: Flask_) -> Callable[..., Any]:
    """`flask_json("queues")`: what the command prints with --json."""

    def run(*args: str) -> Any:
        result = flask(*args, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def run_in_shell(command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run by sh in the project's folder, with our executables on the PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", command],
        cwd=PROJECT,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def shell(stores: None) -> Shell:
    """`shell("flask queues")`: as a user types it."""
    return run_in_shell
