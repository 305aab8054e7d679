"""The jobs that move contacts and deals by rule, on CRMs of growing size: seconds, store commands, memory.

Each job runs on a fresh Redis and a fresh document store, or on that of MONGODB_URI, in a process of its own
that has seeded nothing. Beside a job that changes all of the CRM, in the same run and on the same documents,
the bare statement: one update by plain operators that makes a change of the same size, without any rule.
"""

from __future__ import annotations

import json
import sys

from bench import environment, processes
from bench.automations_goals import Part
from bench.automations_jobs import JOBS
from bench.command import parser, say
from bench.goals import report
from bench.processes import Failed

SIZES, QUICK_SIZES = "1000,10000,100000", "500,2000"


def main() -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--contacts", metavar="N,N", help=f"sizes of the CRM; by default {SIZES}")
    arguments.add_argument("--job", action="append", choices=JOBS, help="only this one; may be repeated")
    options = arguments.parse_args()
    text = options.contacts or (QUICK_SIZES if options.quick else SIZES)
    sizes = sorted(int(size) for size in text.split(","))
    parts = {name: [measure(name, size) for size in sizes] for name in options.job or JOBS}
    goals = [goal for name, found in parts.items() for goal in JOBS[name].goals(found)]
    return report("automations", goals, jobs=parts)


def measure(job: str, contacts: int) -> Part:
    with environment.place(with_store=True) as place:
        for step in ("seed", "run"):
            command = [sys.executable, "-m", "bench.automations_parts", step, job, str(contacts)]
            printed = processes.output_of(command, place.environment)
    part: Part = json.loads(printed)
    say(f"{job}, {contacts} contacts: {part['seconds']} s, bare {part['bare_seconds']} s")
    return part


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"✗ {failure}")
