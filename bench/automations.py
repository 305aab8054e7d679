"""The jobs that move contacts by rule, on CRMs of growing size: seconds, store commands, memory.

Each job runs on a fresh Redis and a fresh document store, or on that of MONGODB_URI, in a process of its own
that has seeded nothing. Beside it, in the same run and on the same documents, the bare statement: one update
by plain operators that makes a change of the same size, without any rule.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from bench import environment, processes
from bench.command import parser, say
from bench.goals import Goal, at_most, report
from bench.processes import Failed

SIZES, QUICK_SIZES = "1000,10000,100000", "500,2000"
JOBS = ("intent-score-decay",)
BARE = 3  # times the bare statement
MEMORY = 1.1  # times that of the smallest CRM
PER_RANGE = 6  # store commands: rules, update, crossings; events, queued, published
PLANNER = 4  # store commands of the tick's job, and one per 2,000 contacts to read on
READ_AT_ONCE = 2_000

Part = dict[str, Any]  # what `bench.automations_parts` prints


def main() -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--contacts", metavar="N,N", help=f"sizes of the CRM; by default {SIZES}")
    options = arguments.parse_args()
    text = options.contacts or (QUICK_SIZES if options.quick else SIZES)
    sizes = sorted(int(size) for size in text.split(","))
    parts = {job: [measure(job, size) for size in sizes] for job in JOBS}
    return report("automations", [goal for job in JOBS for goal in goals(job, parts[job])], jobs=parts)


def measure(job: str, contacts: int) -> Part:
    with environment.place(with_store=True) as place:
        for step in ("seed", "run"):
            command = [sys.executable, "-m", "bench.automations_parts", step, job, str(contacts)]
            printed = processes.output_of(command, place.environment)
    part: Part = json.loads(printed)
    say(f"{job}, {contacts} contacts: {part['seconds']} s, bare {part['bare_seconds']} s")
    return part


def goals(job: str, parts: list[Part]) -> list[Goal]:
    smallest = parts[0]
    found = []
    for part in parts:
        name = f"{job}, {part['contacts']} contacts"
        in_ranges = part["commands"] - PLANNER - part["contacts"] // READ_AT_ONCE
        found += [
            at_most(f"{name}: times the bare statement", part["seconds"] / part["bare_seconds"], BARE),
            at_most(f"{name}: store commands per range", in_ranges / part["ranges"], PER_RANGE),
            at_most(f"{name}: memory", part["peak_mb"] / smallest["peak_mb"], MEMORY),
        ]
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"✗ {failure}")
