"""The bill of a Redis that is billed by the request: every command counts, also inside scripts and MULTI.

Our own code runs by a clock that skips the time in which nothing happens (see bench/skipping.py), so a day is
a whole day: 786 ticks, each enqueued and run, and all signs of life. Idle costs are those of six such hours
without work, times four; so is a day in the quick run, whose six hours hold a little more than a quarter of
the ticks. The jobs are no-ops, but on the day with mailboxes (quick: three hours, times eight): there they
are the product's own, on a real store and a real IMAP server. A web process without requests is watched for
some seconds, and a dashboard page's polls are sent a few times and multiplied.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import environment, processes, schedule
from bench.budget_mail import SIGN_IN
from bench.command import parser, say
from bench.goals import Goal, at_least, at_most, report
from bench.processes import Failed
from sandbox import mail_server
from sandbox.process import free_port

PARTS = ("enqueue", "jobs", "wake-up, one due", "wake-up, two due", "idle worker", "idle scheduler")
DAYS = ("day, one worker", "day, three workers")
MAILBOXES = 3
MAIL_DAY = "day, one worker, mailboxes"

Bills = dict[str, dict[str, Any]]


def main() -> int:
    options = parser(__doc__, profile="frugal").parse_args()
    hours = "6" if options.quick else "24"
    with ThreadPoolExecutor() as beside:  # they mostly wait
        of_web = beside.submit(web, options.profile, idle_seconds=4 if options.quick else 10)
        of_mail = beside.submit(mail, options.profile, "3" if options.quick else "24")
        bills = {part: run(part, options.profile) for part in PARTS}
        bills |= {part: run(part, options.profile, hours) for part in DAYS}
        bills |= of_web.result() | of_mail.result()
    goals = frugal_goals(bills) if options.profile == "frugal" else standard_goals(bills)
    return report("budget", goals, profile=options.profile, bills=bills)


def run(part: str, profile: str, *hours: str) -> dict[str, Any]:
    """One part, on an empty Redis."""
    with environment.place(QUEUE_PROFILE=profile) as place:
        command = [sys.executable, "-m", "bench.budget_parts", part, *hours]
        bill: dict[str, Any] = json.loads(processes.output_of(command, place.environment))
    say(f"{part}: {bill.get('commands', '')}")
    return bill


def web(profile: str, idle_seconds: int) -> Bills:
    with environment.place(with_store=True, QUEUE_PROFILE=profile) as place:
        command = [sys.executable, "-m", "bench.budget_web", str(place.folder), str(idle_seconds)]
        bills: Bills = json.loads(processes.output_of(command, place.environment))
    return told(bills)


def mail(profile: str, hours: str) -> Bills:
    users = {f"mailbox-{number}@acme.test": SIGN_IN for number in range(MAILBOXES)}
    with environment.place(with_store=True, QUEUE_PROFILE=profile) as place:
        server = mail_server.server(place.folder / "mail", free_port(), free_port(), users)
        server.start()
        try:
            command = [sys.executable, "-m", "bench.budget_mail", str(server.port), hours, *users]
            bills: Bills = json.loads(processes.output_of(command, place.environment))
        finally:
            server.stop()
    return told(bills)


def told(bills: Bills) -> Bills:
    for name, bill in bills.items():
        say(f"{name}: {bill['commands']}")
    return bills


def frugal_goals(bills: Bills) -> list[Goal]:
    web_idle = bills["idle web"]["commands"]
    return [
        at_most("idle worker, commands a day", bills["idle worker"]["commands"], 500),
        at_most("job that runs alone, commands, enqueue included", bills["jobs"]["success"]["commands"], 9),
        *(
            at_most(f"scheduler's wake-up, {due} due, commands beyond the enqueue", beyond, 2 + number)
            for number, due in ((1, "one"), (2, "two"))
            for beyond in [wake_up_beyond_enqueue(bills, f"wake-up, {due} due", number)]
        ),
        at_most("the day with one worker, commands", bills["day, one worker"]["commands"] + web_idle, 7_500),
        at_most(
            "the day with three workers, commands", bills["day, three workers"]["commands"] + web_idle, 10_000
        ),
        at_most(
            "the day with one worker and three mailboxes, commands",
            bills[MAIL_DAY]["commands"] + web_idle,
            7_500,
        ),
        *all_ticks(bills),
    ]


def standard_goals(bills: Bills) -> list[Goal]:
    many, enqueued = bills["jobs"]["success, of many"], 1 / 200  # 200 jobs were enqueued in one call
    return [
        at_most("job among many, round trips beyond its enqueue", many["round_trips"] - enqueued, 2),
        at_most("publish, round trips", bills["publish"]["round_trips"], 1),
        *all_ticks(bills),
    ]


def all_ticks(bills: Bills) -> list[Goal]:
    """The days are worth nothing when a tick is missing."""
    return [
        at_least(f"{day}: ticks run", bills[day]["ticks"], schedule.TICKS[bills[day]["hours"]])
        for day in (*DAYS, MAIL_DAY)
    ]


def wake_up_beyond_enqueue(bills: Bills, part: str, due: int) -> float:
    """Without the enqueues' own commands, which one call sends for all that is due, and without the
    scheduler's sign of life, which is due by time and counted with the idle scheduler."""
    per_call, calls = bills["enqueue"], 1
    enqueues = calls + due * (float(per_call["commands"]) - 1)
    signs_of_life = bills[part]["by_command"].get("expire", 0)
    return float(bills[part]["commands"]) - enqueues - float(signs_of_life)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"✗ {failure}")
