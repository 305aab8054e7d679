"""The run history over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from consumers import automations
from models.contact import Contact
from models.event import EventRecord
from models.task import Task
from models.trigger import Trigger, TriggerCondition
from models.trigger_run import TriggerRun
from tests.automations import created
from tests.web.automations.conftest import Api

NOTICE = {"type": "notify", "message": "{{contact.firstName}} is here"}
TASK = {"type": "create_task", "title": "Call"}


def happen(api: Api, number: int = 1, **fields: Any) -> list[str]:
    """Events of new contacts, planned; their ids."""
    ids = []
    known = Contact.objects.count()
    for place in range(known, known + number):
        event_id = created(Contact.upsert(api.workspace.id, f"{place}@navy.test", fields)[0])
        automations.run(event_id)
        ids.append(event_id)
    return ids


def history(api: Api, trigger: str, query: str = "") -> Any:
    return api.get(f"/triggers/{trigger}/runs{query}").get_json()


def test_a_run_tells_what_each_action_did(api: Api, run_jobs: Callable[[], int]) -> None:
    trigger = api.created(actions=[NOTICE, TASK])
    (event_id,) = happen(api)
    run_jobs()
    (run,) = history(api, trigger)["data"]
    contact = Contact.objects.get()

    assert run["status"] == "failed"
    assert (run["eventId"], run["eventType"]) == (event_id, "contact.created")
    assert run["correlationId"] == EventRecord.objects.get(id=event_id).correlation_id
    assert (run["contactId"], run["depth"], run["reason"]) == (str(contact.id), 0, None)
    failed, done = run["actions"]
    assert (failed["type"], failed["status"], failed["tries"]) == ("notify", "failed", 1)
    assert failed["error"].startswith("MissingField: contact.firstName is empty")
    assert (done["type"], done["status"], done["error"]) == ("create_task", "done", None)
    assert done["seconds"] > 0
    assert done["endedAt"].endswith("Z")
    assert "is here" not in str(run)


def test_pages_hold_every_run_once_the_latest_first(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = api.created()
    at = automations.store.now()
    monkeypatch.setattr(automations.store, "now", lambda: at)
    events = happen(api, 7)
    TriggerRun.objects.update(set__created_at=at)  # all in the same millisecond
    seen, query = [], "?limit=3"
    while query:
        answer = history(api, trigger, query)
        seen.append([run["eventId"] for run in answer["data"]])
        query = f"?limit=3&cursor={answer['next']}" if answer["next"] else ""

    assert [len(page) for page in seen] == [3, 3, 1]
    assert [one for page in seen for one in page] == events[::-1]


def test_the_history_can_be_narrowed_to_a_status(api: Api, run_jobs: Callable[[], int]) -> None:
    done, failed = api.created(actions=[TASK, TASK]), api.created(actions=[TASK, NOTICE])
    skipped = api.created(actions=[TASK])
    senseless = TriggerCondition(field="contact.leadScore", operator="greater_than", value="many")
    Trigger.objects(id=skipped).update(set__conditions=[senseless])
    happen(api)
    run_jobs()
    running = api.created(actions=[TASK])
    happen(api)
    found = {
        status: [
            name
            for name in (done, failed, skipped, running)
            if history(api, name, f"?status={status}&limit=1")["data"]
        ]
        for status in ("done", "failed", "skipped", "running")
    }
    assert found["running"] == [done, failed, running]
    assert (found["done"], found["failed"], found["skipped"]) == ([done], [failed], [skipped])
    for status, names in found.items():
        for name in names:
            runs = history(api, name, f"?status={status}")["data"]
            assert {run["status"] for run in runs} == {status}


def test_a_run_above_the_limit_is_in_the_history_with_the_reason(api: Api) -> None:
    trigger = api.created(maxRunsPerMinute=1)
    happen(api, 3)
    reasons = [run["reason"] for run in history(api, trigger)["data"]]

    assert len([reason for reason in reasons if reason]) >= 1
    assert {reason for reason in reasons if reason} == {"it ran 1 times in this minute, which is its limit"}
    assert Task.objects.count() == 0


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("cursor=1", "cursor: must be the `next`"),
        ("cursor=999999999999999.x", "cursor: must be the `next`"),
        ("status=odd", "status: "),
        ("limit=0", "limit: "),
    ],
)
def test_a_bad_query_is_refused_by_name(api: Api, query: str, word: str) -> None:
    answer = api.get(f"/triggers/{api.created()}/runs?{query}")
    assert answer.status_code == 422
    assert word in answer.get_json()["message"]


def test_a_page_of_the_history_costs_the_same_however_long_it_is(
    api: Api, count_store_commands: Callable[[], Any]
) -> None:
    trigger = api.created()
    costs = []
    for _ in range(2):
        happen(api, 5)
        with count_store_commands() as names:
            history(api, trigger, "?limit=2")
        costs.append(len(names))
    assert costs[0] == costs[1] <= 4


def test_runs_lapse_after_the_days_of_the_setting(api: Api) -> None:
    api.created()
    happen(api)
    run = TriggerRun.objects.get()
    indexes = TriggerRun._get_collection().index_information().values()

    assert (run.expires_at - run.created_at).days == 30
    assert [i["key"] for i in indexes if i.get("expireAfterSeconds") == 0] == [[("expires_at", 1)]]
