"""Events of several requests at once: stored by one command, and nobody hangs or pays for another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect, DocumentTooLarge

from models import store
from models.event import EventRecord
from publishers import events
from queues import counts
from queues.names import CRM_EVENTS
from schemas.contact import ContactUpdated
from tests.faults.proxy import Proxy
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("stores")

REQUESTS = 8
CUTS = 4
WORKSPACE = str(ObjectId())


def publish(name: str) -> None:
    """As a request does, and once more when it was not accepted."""
    with events.batch(in_group=True):
        changed = ContactUpdated(workspace_id=WORKSPACE, contact_id=str(ObjectId()), changed=[name])
        events.announce(changed, key=f"test:{name[:20]}")


def _is_away(problem: BaseException | None) -> bool:
    return isinstance(problem, Exception) and store.is_away(problem)


def test_a_connection_that_fell_silent_holds_up_nobody_for_long(
    store_network: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PATIENCE", 0.5)
    publish("before")
    store_network.stall()
    with ThreadPoolExecutor(REQUESTS) as threads:
        found = [threads.submit(publish, str(number)) for number in range(REQUESTS)]
        problems = [future.exception(20) for future in found]
    assert [problem for problem in problems if not _is_away(problem)] == []

    store_network.mend()
    for number in range(REQUESTS):
        publish(str(number))
    assert EventRecord.objects.count() == 1 + REQUESTS
    assert counts.counts([CRM_EVENTS])[0].waiting == 1 + REQUESTS


def test_what_was_accepted_is_stored_though_the_network_is_cut_again_and_again(store_network: Proxy) -> None:
    accepted: list[str] = []
    refused: list[str] = []

    def request(name: str) -> None:
        try:
            publish(name)
            accepted.append(name)
        except AutoReconnect:
            refused.append(name)

    names = [str(number) for number in range(CUTS * 40)]
    with ThreadPoolExecutor(REQUESTS) as threads:
        found = [threads.submit(request, name) for name in names]
        for cut in range(CUTS):
            wait_until(lambda: len(accepted) + len(refused) >= cut * 40 + 5)  # noqa: B023 - it is asked at once
            store_network.cut()
            store_network.mend()
        assert [future.exception(60) for future in found] == [None] * len(names)
    stored = {record.key for record in EventRecord.objects.only("key")}
    assert refused
    assert {f"test:{name}" for name in accepted} <= stored

    for name in refused:
        publish(name)
    assert sorted(record.key for record in EventRecord.objects) == sorted(f"test:{name}" for name in names)
    assert counts.counts([CRM_EVENTS])[0].waiting == len(names)


def test_a_document_that_is_too_large_fails_its_own_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    is_there, accept, sizes = threading.Event(), EventRecord.accept, []

    def waiting(records: Sequence[EventRecord]) -> Sequence[EventRecord]:
        sizes.append(len(records))
        assert is_there.wait(10)
        return accept(records)

    monkeypatch.setattr(EventRecord, "accept", waiting)
    with ThreadPoolExecutor(REQUESTS) as threads:
        first = threads.submit(publish, "first")
        wait_until(lambda: sizes)
        found = [threads.submit(publish, name) for name in ("a", "x" * 17_000_000, "b")]
        wait_until(lambda: len(events._together._waiting) == 3)
        is_there.set()
        assert first.exception(10) is None
        assert [type(future.exception(30)) for future in found] == [type(None), DocumentTooLarge, type(None)]
    assert sizes == [1, 3, 1, 1, 1]
    assert sorted(record.payload["changed"] for record in EventRecord.objects) == [["a"], ["b"], ["first"]]
    assert counts.counts([CRM_EVENTS])[0].waiting == 3
