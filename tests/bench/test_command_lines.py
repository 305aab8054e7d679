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


def test_make_bench_measures_both_profiles_where_they_have_goals() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{_recipe()}\nexit $failed"], capture_output=True, text=True, check=False
    )
    ran = [line.split()[2:] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert sorted({name for name, *_ in ran}) == sorted(f"bench.{name}" for name in BENCHMARKS)
    for name in ("bench.budget", "bench.latency"):
        assert [name, "--profile", "standard"] in ran
        assert [name, "--profile", "frugal"] in ran


def _recipe() -> str:
    """What `make bench` would run, with an echo in the place of Python."""
    dry = subprocess.run(
        ["make", "--dry-run", "--silent", "bench", "BENCH=no", "ARGS="],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    recipe = dry.stdout[dry.stdout.index("failed=0") :].rsplit("exit", 1)[0]
    return recipe.replace("no/bin/python", "echo no/bin/python")


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
