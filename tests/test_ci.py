"""`.ci/run`'s plugin: there a skipped test fails the run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SKIPPED = """
import pytest

@pytest.mark.skip(reason="no browser")
def test_it(): ...

def test_other(): ...
"""


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_sample.py").write_text(source)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.ci",
        "-c",
        "/dev/null",
        "--rootdir",
        str(folder),
    ]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_skipped_test_fails_the_run_and_pytests_closing_line_stays_last(tmp_path: Path) -> None:
    result = run(tmp_path, SKIPPED)

    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "1 skipped: here everything is installed" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 passed, 1 skipped in ")


def test_a_run_without_skips_passes(tmp_path: Path) -> None:
    result = run(tmp_path, "def test_it(): ...\n")

    assert result.returncode == pytest.ExitCode.OK
    assert "refused" not in result.stdout
