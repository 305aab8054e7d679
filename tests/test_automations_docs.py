"""docs/automations.md says what is so: each example is accepted, and nothing is left out."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import config
from models.sequence import Sequence
from models.trigger_run import TriggerRun
from services import conditions, merge_fields, webhook
from services.automation import actions, fields
from services.automation.definition import Definition
from tests.web.automations.conftest import Api, new_workspace

TEXT = (Path(__file__).parents[1] / "docs" / "automations.md").read_text()
EXAMPLES: list[dict[str, Any]] = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
]
ACTIONS = [example for example in EXAMPLES if "type" in example]
TRIGGERS = [example for example in EXAMPLES if "eventType" in example]


@pytest.fixture
def api(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setenv("WEBHOOK_SECRET", "a secret of some length")
    config.settings.cache_clear()
    return Api(client, new_workspace())


@pytest.fixture(autouse=True)
def settings_as_before() -> Any:
    yield
    config.settings.cache_clear()


@pytest.mark.parametrize("trigger", TRIGGERS, ids=[example["name"] for example in TRIGGERS])
def test_a_trigger_of_the_document_is_accepted_as_it_stands(api: Api, trigger: dict[str, Any]) -> None:
    answer = api.call("POST", json=trigger)

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("action", ACTIONS, ids=[example["type"] for example in ACTIONS])
def test_an_action_of_the_document_is_accepted_as_it_stands(api: Api, action: dict[str, Any]) -> None:
    if "sequenceId" in action:
        Sequence(id=action["sequenceId"], workspace_id=api.workspace.id, name="Onboarding").save()
    assert api.create(actions=[action]).status_code == 201


def test_the_made_up_event_of_the_document_can_be_tried(api: Api) -> None:
    (event,) = [example for example in EXAMPLES if "event" in example]
    answer = api.call("POST", f"/triggers/{api.created()}/dry-run", json=event)

    assert answer.status_code == 200
    data = answer.get_json()["data"]
    assert all(f"`{name}`" in TEXT for name in ("wouldRun", "reason", "actual", "holds", "why", "problem"))
    assert data["conditions"][0].keys() >= {"actual", "holds", "why"}


def test_the_document_shows_every_action_and_every_field_of_each() -> None:
    assert {example["type"] for example in ACTIONS} == actions.KINDS.keys()
    names = {
        field.alias or name
        for kind in (*actions.KINDS.values(), actions.ContactFields, Definition)
        for name, field in kind.model_fields.items()
    }
    assert {name for name in names if f"`{name}`" not in TEXT and f'"{name}"' not in TEXT} == set()


def test_the_document_names_every_operator_and_every_field() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT))

    assert conditions.OPERATORS.keys() <= named
    assert {*fields.CONTACT, *fields.DEAL} <= named


def test_variables_of_the_document_exist() -> None:
    known = fields.of("contact.created")

    assert [name for name in merge_fields.names(TEXT) if not known.has(name)] == []


def test_the_refusal_that_the_document_shows_is_the_one_that_is_told(api: Api) -> None:
    bad = [{"field": "contact.leadScor", "operator": "greater_than", "value": 1}]

    assert f"\n{api.refusal(conditions=bad)}\n" in TEXT


def test_the_documents_check_of_a_signature_knows_ours_from_others() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is our own document
    now, body = int(time.time()), b'{"a": 1}'
    genuine = webhook.signature("secret", body, now)

    assert names["is_genuine"]("secret", genuine, body)
    assert not names["is_genuine"]("another", genuine, body)
    assert not names["is_genuine"]("secret", genuine, body + b" ")
    assert not names["is_genuine"]("secret", webhook.signature("secret", body, now - 600), body)


def test_every_state_of_a_run_is_explained() -> None:
    states = {"running", "done", "failed", "skipped"}
    assert set(re.findall(r"^\| `(\w+)` \| (?:an action|every action|nothing)", TEXT, re.MULTILINE)) == states
    assert TriggerRun().status in states


def test_every_route_of_the_api_is_in_the_document(client: FlaskClient) -> None:
    rules = [
        rule for rule in client.application.url_map.iter_rules() if rule.endpoint.startswith("automations.")
    ]
    told = set(re.findall(r"^\| `(GET|POST|PUT|DELETE) (/\S+)` \|", TEXT, re.MULTILINE))
    ours = {
        (
            method,
            str(rule).removeprefix("/api/workspaces/<workspace_id>").replace("<trigger_id>", ":triggerId"),
        )
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert ours == told
