"""Every benchmark that `make bench` runs explains itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from bench.environment import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
BENCHMARKS = "".join(re.findall(r"^BENCHMARKS := (.+)$", MAKEFILE, re.MULTILINE)).split()


def test_there_are_benchmarks() -> None:
    assert {"throughput", "budget", "latency", "scale", "events"} <= set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_documents_say_what_is_measured(name: str) -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()

    assert f"\npython -m bench.{name} --quick\n" in text
    assert f"\n## {name.capitalize()}\n" in text


@pytest.mark.parametrize("name", BENCHMARKS)
def test_help_names_what_is_measured_and_the_quick_run(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
    assert "exits with 1 when a goal is missed" in done.stdout
