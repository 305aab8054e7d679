"""Events: how soon they take effect, how many a second, what they cost, how the tracking endpoint bears load.

From a call of `publish` to the moment at which every reaction took effect, beside a bare enqueue to the start
of a job on the same idle worker, in turns; then many events at once, all their jobs included. A batch of ten
page views is sent to the web process by twenty clients, in turns with /healthz. Store commands are counted by
the driver.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench import environment, processes
from bench.command import parser, say
from bench.goals import Goal, at_most, report
from bench.percentiles import Spread, middle, spread
from bench.processes import Failed

Part = dict[str, Any]  # what `bench.events_<part>` prints


@dataclass(frozen=True)
class Sizes:
    rounds: int
    alone: int  # events that come one by one, and as many bare jobs
    burst: int  # events that come at once
    requests: int  # of each of the clients, per round
    others: int  # records beside which the commands of an event are counted again


FULL = Sizes(rounds=5, alone=100, burst=1_000, requests=50, others=5_000)
QUICK = Sizes(rounds=3, alone=25, burst=100, requests=6, others=1_000)


@dataclass(frozen=True)
class Found:
    """Times in ms, rates per second."""

    handling: Sequence[Part]  # a part per round
    tracking: Sequence[Part]
    costs: Part


def main() -> int:
    options = parser(__doc__).parse_args()
    found = measure(QUICK if options.quick else FULL)
    return report("events", goals(found), **figures(found))


def measure(sizes: Sizes) -> Found:
    costs = run("costs", sizes.others)
    handling = run("handling", sizes.rounds, sizes.alone, sizes.burst)["rounds"]
    tracking = run("tracking", sizes.rounds, sizes.requests)["rounds"]
    return Found(handling, tracking, costs)


def run(part: str, *sizes: int) -> Part:
    """One part, on empty stores."""
    with environment.place(with_store=True, PUBLIC_REQUESTS_PER_MINUTE="1000000") as place:
        command = [sys.executable, "-m", f"bench.events_{part}", str(place.folder), *map(str, sizes)]
        found: Part = json.loads(processes.output_of(command, place.environment))
    say(f"{part}: done")
    return found


def goals(found: Found) -> list[Goal]:
    costs = found.costs
    return [
        at_most(
            "publish to effect, p95 / bare enqueue to start, p95", ratio(found.handling, "effect", "bare"), 3
        ),
        at_most("POST of ten events, p95 / GET /healthz, p95", ratio(found.tracking, "track", "healthz"), 4),
        at_most("POST of a page view, store commands", costs["page_view"], 6),
        at_most("POST of ten, store commands per further page view", costs["further"], 2),
        at_most("POST of ten, Redis round trips", costs["round_trips"], 3),
        at_most("store commands of an event beside many records, beyond those beside few", growth(costs), 0),
    ]


def ratio(rounds: Sequence[Part], one: str, other: str) -> float:
    """Of the p95s, within each round; the median of the rounds."""
    return float(median(spread(each[one]).p95 / spread(each[other]).p95 for each in rounds))


def least(each: Part) -> float:
    """Publish to effect beside a bare start, were an event but an insert, a start and an update."""
    insert, start, update = (spread(each[kind]).p50 for kind in ("insert", "bare", "update"))
    return (insert + start + update) / start


def growth(costs: Part) -> float:
    """The largest difference of all events."""
    return float(max(after - costs["few"][kind] for kind, after in costs["many"].items()))


def figures(found: Found) -> Mapping[str, Any]:
    return {
        "milliseconds": {
            "publish to effect": asdict(times(found.handling, "effect")),
            "bare enqueue to start": asdict(times(found.handling, "bare")),
            "bare insert": asdict(times(found.handling, "insert")),
            "bare update": asdict(times(found.handling, "update")),
            "POST of ten events": asdict(times(found.tracking, "track")),
            "GET /healthz": asdict(times(found.tracking, "healthz")),
        },
        "least on this store": round(median(map(least, found.handling)), 1),
        "events_per_second": round(median(each["events_per_second"] for each in found.handling)),
        "requests_per_second": {
            name: round(median(each[f"{name}_per_second"] for each in found.tracking))
            for name in ("track", "healthz")
        },
        "store_commands": found.costs,
    }


def times(rounds: Sequence[Part], kind: str) -> Spread:
    return middle([spread(each[kind]) for each in rounds])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"✗ {failure}")
