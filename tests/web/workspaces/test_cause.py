"""A chain of automations that leads through another program: by webhook out, by `POST /events` in again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from bson import ObjectId

from models.event import EventRecord
from models.trigger_run import TriggerRun
from tests.automations import automation, grace
from tests.sink import Sink, allowed
from tests.web.automations.conftest import Api, api, other
from tests.web.workspaces.test_events import ids, refusal, tell, updated

__all__ = ["api", "other"]  # fixtures

MOST = 30  # rounds after which a loop has no end


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A receiver of webhooks on loopback, which is allowed here."""
    with allowed(monkeypatch) as sink:
        yield sink


def loop(api: Api, run_jobs: Callable[[], int], sink: Sink, echo: tuple[str, ...], path: str) -> int:
    """An automation whose receiver tells of the same again and again; returns how often it was called."""
    automation(api.workspace, event_type="contact.updated", actions=[{"type": "webhook", "url": sink.url}])
    contact = grace(api.workspace)
    event = updated(contact.id, "company")
    ids(api.call("POST", "/events", json=event))
    for called in range(MOST):
        run_jobs()
        if len(sink.requests) == called:
            return called
        got = json.loads(sink.requests[-1].body)
        because = {name: got[name] for name in echo}
        body = {"events": [event], **because} if path == "batch" else {**event, **because}
        ids(api.call("POST", "/events", json=body))
    return MOST


@pytest.mark.parametrize("path", ["single", "batch"])
@pytest.mark.parametrize("echo", [("causationId",), ("causationId", "correlationId")])
def test_a_loop_through_a_receiver_that_names_the_cause_ends_at_the_depth_limit(
    api: Api, run_jobs: Callable[[], int], sink: Sink, echo: tuple[str, ...], path: str
) -> None:
    assert loop(api, run_jobs, sink, echo, path) == 8
    runs = TriggerRun.objects.order_by("depth")
    assert [(run.depth, run.status) for run in runs] == [*((n, "done") for n in range(8)), (8, "skipped")]
    assert "chain of 8 automations" in runs[8].reason
    assert len({run.correlation_id for run in runs}) == 1
    assert [json.loads(request.body)["depth"] for request in sink.requests] == list(range(8))


def test_what_an_event_caused_outside_is_one_automation_deeper_and_of_its_correlation(api: Api) -> None:
    (first,) = ids(tell(api, updated()))
    EventRecord.objects.update(set__depth=3)
    later = ids(api.call("POST", "/events", json={"events": [updated()] * 2, "causationId": first.upper()}))
    cause = EventRecord.objects.get(id=first)
    found = EventRecord.objects(id__in=later)
    assert [(e.depth, e.causation_id, e.correlation_id) for e in found] == [
        (4, first, cause.correlation_id)
    ] * 2


@pytest.mark.parametrize(
    ("because", "message"),
    [
        ({"causationId": "x"}, "causationId: must be a 24-digit hexadecimal id"),
        ({"causationId": 5}, "causationId: Input should be a valid string"),
        ({"causationId": str(ObjectId())}, "causationId: this workspace has no such event"),
        ({"correlationId": "c"}, "correlationId: needs the causationId"),
        ({"correlationId": "c" * 101}, "correlationId: String should have at most 100"),
        ({"depth": 3}, "depth: is not a known field"),
    ],
)
@pytest.mark.parametrize("body", [updated(), {"events": [updated()]}], ids=["single", "batch"])
def test_a_cause_that_is_none_is_refused_by_its_field(
    api: Api, body: dict[str, Any], because: dict[str, Any], message: str
) -> None:
    assert refusal(api.call("POST", "/events", json=body | because)).startswith(message)


def test_nobody_names_an_event_of_another_workspace_as_the_cause(api: Api, other: Api) -> None:
    (theirs,) = ids(tell(other, updated()))
    answer = api.call("POST", "/events", json=updated() | {"causationId": theirs})
    assert (answer.status_code, EventRecord.objects.count()) == (422, 1)
    assert "this workspace has no such event" in answer.get_json()["message"]


def test_the_correlation_of_another_chain_is_refused(api: Api) -> None:
    (mine,) = ids(tell(api, updated()))
    body = updated() | {"causationId": mine, "correlationId": "another"}
    assert api.call("POST", "/events", json=body).status_code == 422
    assert EventRecord.objects.count() == 1


def test_a_cause_costs_one_query(
    api: Api, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    (first,) = ids(tell(api, updated()))
    costs = []
    for because in ({}, {"causationId": first}):
        with count_store_commands() as commands:
            ids(api.call("POST", "/events", json=updated() | because))
        costs.append(len(commands))
    assert costs[1] == costs[0] + 1
