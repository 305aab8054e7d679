"""`make run`, as a newcomer has it: two of them side by side, from nothing to a clean end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pymongo
import pytest
import requests

from sandbox.process import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
WORKSPACE = "000000000000000000acce01"
OURS = ("REDIS_URL", "MONGODB_URI", "DEMO", "LOG_FORMAT", "LOG_LEVEL")  # what the tests themselves have set


@dataclass(frozen=True)
class Run:
    """A running `python -m sandbox.run`."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def says(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, self.log.read_text())

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return bool(self.says("Clianta Jobs is ready"))

        wait_until(is_ready, timeout=60, what="the announcement")

    def store(self) -> pymongo.MongoClient[dict[str, Any]]:
        port = self.says(r"document store on port (\d+)")
        assert port
        return pymongo.MongoClient(port=int(port[1]))

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def start_run(tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    runs: list[Run] = []

    def start(name: str, port: int | None = None) -> Run:
        port = port or free_port()
        environment = {key: value for key, value in os.environ.items() if key not in OURS}
        log = tmp_path / f"{name}-{len(runs)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.run"],
                cwd=ROOT,
                env={**environment, "PORT": str(port), "VAR": str(tmp_path / name)},
                stdout=output,
                stderr=output,
            )
        runs.append(Run(process, f"http://127.0.0.1:{port}", log))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGINT)
            run.process.wait(40)


def test_two_runs_work_side_by_side_and_leave_no_process(start_run: Callable[..., Run]) -> None:
    runs = [start_run("one"), start_run("two")]
    for run in runs:
        run.wait_until_ready()
    families = [process for run in runs for process in run.family()]
    assert len(families) > 10
    for run in runs:
        run.process.send_signal(signal.SIGINT)
    assert [run.process.wait(40) for run in runs] == [0, 0]
    _gone, left = psutil.wait_procs(families, timeout=5)
    assert left == []


def test_a_contact_posted_by_a_newcomer_is_scored_owned_and_on_the_timeline(
    start_run: Callable[..., Run],
) -> None:
    run = start_run("one")
    run.wait_until_ready()
    body = {"workspaceId": WORKSPACE, "email": "new@firm.test", "firstName": "Nia", "company": "Firm"}
    answer = requests.post(f"{run.url}/api/public/crm/contacts", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    with run.store() as client:
        crm = client.clianta

        def is_taken_care_of() -> bool:
            contact = crm.contacts.find_one({"email": "new@firm.test"}) or {}
            entry = crm.activities.find_one({"contact_id": contact.get("_id")})
            return bool(contact.get("lead_score") and contact.get("assigned_to") and entry)

        wait_until(is_taken_care_of, timeout=20, what="score, owner and timeline entry")
        wait_until(lambda: crm.email_messages.count_documents({}) == 4, timeout=20, what="the mailbox's sync")


def test_data_is_kept_between_runs_and_a_folder_serves_one_run(start_run: Callable[..., Run]) -> None:
    first = start_run("one")
    first.wait_until_ready()
    second = start_run("one")
    assert second.process.wait(30) == 1
    assert second.says("another run uses")
    with first.store() as client:
        client.clianta.contacts.update_one(
            {"email": "amara@saltandpine.test"}, {"$set": {"phone": "+1 555 0100"}}
        )
    first.process.send_signal(signal.SIGINT)
    first.process.wait(40)
    third = start_run("one")
    third.wait_until_ready()
    with third.store() as client:
        contacts = client.clianta.contacts
        assert contacts.count_documents({"phone": "+1 555 0100"}) == 1
        assert contacts.count_documents({}) == 5


def test_a_taken_port_is_named_with_a_way_out(start_run: Callable[..., Run]) -> None:
    first = start_run("one")
    first.wait_until_ready()
    second = start_run("two", port=int(first.url.rpartition(":")[2]))
    assert second.process.wait(30) == 1
    assert second.says(r"port \d+ is in use; choose another: make run PORT=")
