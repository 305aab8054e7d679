"""Tokens, and that no workspace sees anything of another."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bson import ObjectId

import config
from consumers import automations
from models import store
from models.api_token import ApiToken
from models.contact import Contact
from models.sequence import Sequence
from models.trigger import Trigger
from models.trigger_run import TriggerRun
from services import webhook
from tests.automations import created
from tests.web.automations.conftest import Api, definition


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic YTpi",
        "Token {token}",
        "{token}",
        "Bearer {token}x",
    ],
)
def test_without_a_valid_token_there_is_no_way_in(api: Api, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.format(token=api.text)}
    answer = api.client.get(f"{api.base}/triggers", headers=headers)

    assert answer.status_code == 401
    assert answer.get_json()["success"] is False
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert api.text not in answer.text


def test_a_token_is_kept_as_a_hash_alone(api: Api) -> None:
    (stored,) = ApiToken._get_collection().find()

    assert api.text not in str(stored)
    assert len(api.text) > 40


def test_a_revoked_token_opens_nothing(api: Api) -> None:
    assert api.get().status_code == 200
    assert api.token.revoke()

    assert api.get().status_code == 401
    assert not api.token.revoke()


def test_a_tokens_use_is_noted_at_most_once_an_hour(api: Api) -> None:
    api.get()
    first = ApiToken.objects.get().used_at
    api.get()
    assert ApiToken.objects.get().used_at == first

    ApiToken.objects.update(set__used_at=store.now() - timedelta(hours=2))
    api.get()
    assert ApiToken.objects.get().used_at >= first


def test_another_workspace_does_not_exist(api: Api, other: Api) -> None:
    trigger = other.created()
    run = automations.run(created(Contact.upsert(other.workspace.id, "a@b.test", {})[0]))
    assert run == 1
    draft = {"trigger": definition(), "event": {"payload": {}}}
    requests = [
        ("GET", "/triggers", None),
        ("POST", "/triggers", definition()),
        ("GET", f"/triggers/{trigger}", None),
        ("PUT", f"/triggers/{trigger}", definition(name="Stolen")),
        ("DELETE", f"/triggers/{trigger}", None),
        ("GET", f"/triggers/{trigger}/runs", None),
        ("POST", f"/triggers/{trigger}/dry-run", draft),
        ("POST", "/triggers/dry-run", draft),
        ("GET", "/webhook-secret", None),
    ]
    own, foreign = api.base, other.base
    unknown = f"/api/workspaces/{ObjectId()}"
    for method, path, body in requests:
        api.base = foreign
        answer = api.call(method, path, json=body)
        assert (answer.status_code, answer.get_json()["message"]) == (404, "workspaceId: no such workspace")
        api.base = unknown
        assert api.call(method, path, json=body).get_json() == answer.get_json()
        if trigger in path:
            api.base = own
            answer = api.call(method, path, json=body)
            assert (answer.status_code, answer.get_json()["message"]) == (404, "triggerId: no such trigger")
    assert Trigger.objects.get().name == "Greet"


def test_lists_hold_only_what_is_the_workspaces_own(api: Api, other: Api) -> None:
    mine = api.created()
    other.created()

    assert [found["id"] for found in api.get().get_json()["data"]] == [mine]


def test_ids_of_another_workspace_cannot_be_named(api: Api, other: Api) -> None:
    sequence = Sequence(workspace_id=other.workspace.id, name="Theirs").save()
    enrol = {"type": "enroll_in_sequence", "sequenceId": str(sequence.id)}
    assert "no sequence" in api.refusal(actions=[enrol])
    member = str(other.workspace.members[0].user_id)
    assert "no member" in api.refusal(actions=[{"type": "notify", "message": "x", "userId": member}])

    assert other.create(actions=[enrol]).status_code == 201


def test_events_and_contacts_of_another_workspace_stay_unseen_in_dry_runs(api: Api, other: Api) -> None:
    contact, _ = Contact.upsert(other.workspace.id, "secret@navy.test", {"first_name": "Grace"})
    event_id = created(contact)
    trigger = api.created()
    answer = api.call("POST", f"/triggers/{trigger}/dry-run", json={"eventId": event_id})
    assert (answer.status_code, answer.get_json()["message"]) == (404, "eventId: no such event")

    payload = {"contactId": str(contact.id), "source": "form"}
    answer = api.call("POST", f"/triggers/{trigger}/dry-run", json={"event": {"payload": payload}})
    assert answer.status_code == 200
    assert "Grace" not in answer.text
    payload["workspaceId"] = str(other.workspace.id)
    answer = api.call("POST", f"/triggers/{trigger}/dry-run", json={"event": {"payload": payload}})
    assert "Grace" not in answer.text


def test_runs_of_another_trigger_stay_out_of_the_history(api: Api) -> None:
    first, second = api.created(), api.created(conditions=[])
    automations.run(created(Contact.upsert(api.workspace.id, "a@b.test", {})[0], source="api"))

    assert api.get(f"/triggers/{first}/runs").get_json()["data"] == []
    (run,) = api.get(f"/triggers/{second}/runs").get_json()["data"]
    assert run["id"] == TriggerRun.objects.get().id


@pytest.mark.parametrize("bad", ["x", "0" * 23, "%00", "0" * 24])
def test_an_id_that_is_none_is_not_found(api: Api, bad: str) -> None:
    assert api.get(f"/triggers/{bad}").status_code == 404
    api.base = f"/api/workspaces/{bad}"
    assert api.get().status_code == 404


def test_answers_are_kept_by_no_cache(api: Api) -> None:
    for answer in (api.get(), api.get("/triggers/none")):
        assert answer.headers["Cache-Control"] == "no-store"


def test_each_workspace_has_a_webhook_secret_of_its_own(
    api: Api, other: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert api.get("/webhook-secret").status_code == 404
    monkeypatch.setenv("WEBHOOK_SECRET", "a secret of some length")
    config.settings.cache_clear()
    told = [workspace.get("/webhook-secret").get_json()["data"]["secret"] for workspace in (api, other)]
    monkeypatch.delenv("WEBHOOK_SECRET")

    assert told[0] != told[1]
    assert all(len(secret) == 64 for secret in told)
    config.settings.cache_clear()


def test_the_secret_that_is_told_is_the_one_that_signs(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", "a secret of some length")
    config.settings.cache_clear()
    told = api.get("/webhook-secret").get_json()["data"]["secret"]
    assert told == webhook.secret_of(str(api.workspace.id))
    monkeypatch.delenv("WEBHOOK_SECRET")
    config.settings.cache_clear()
