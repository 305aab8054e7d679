"""What every benchmark's command line shares: --quick, --help, progress on stderr."""

from __future__ import annotations

import argparse
import sys


def parser(description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Prints one JSON object; exits with 1 when a goal is missed.",
    )
    made.add_argument("--quick", action="store_true", help="smaller sizes, same goals, under 50 s")
    return made


def say(message: str) -> None:
    """Progress, for people; the result alone goes to stdout."""
    print(message, file=sys.stderr, flush=True)
