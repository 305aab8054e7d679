"""What the benchmarks' command lines share: --quick, --help, --profile, progress on stderr."""

from __future__ import annotations

import argparse
import sys

PROFILES = ("standard", "frugal")


def parser(description: str | None, profile: str | None = None) -> argparse.ArgumentParser:
    """`profile`: the default of --profile, which is there when this is given."""
    made = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Prints one JSON object; exits with 1 when a goal is missed.",
    )
    made.add_argument("--quick", action="store_true", help="smaller sizes, same goals, under 50 s")
    if profile:
        made.add_argument(
            "--profile", choices=PROFILES, default=profile, help="QUEUE_PROFILE of all processes"
        )
    return made


def say(message: str) -> None:
    """Progress, for people; the result alone goes to stdout."""
    print(message, file=sys.stderr, flush=True)
