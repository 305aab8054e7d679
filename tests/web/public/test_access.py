"""Which pages may use the public API, and what their browsers need to let them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from models.event import EventRecord
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Workspace
from tests.web.public.conftest import ACTIVITIES, CONSENT, CONTACTS, IDENTIFY, OPPORTUNITIES, PAGE, TRACK, Api
from tests.web.public.test_forms import FIELDS

EVIL = "https://evil.example"
NOBODY = "0" * 24
ALLOW = "Access-Control-Allow-Origin"


@pytest.mark.parametrize(
    "origin",
    [
        *(PAGE, "HTTPS://WWW.ACME.TEST", "http://localhost:3000", "http://localhost"),
        *("https://shop.acme.example", "https://a.b.acme.example"),
    ],
)
def test_a_page_of_an_allowed_origin_may_send_and_read(api: Api, origin: str) -> None:
    answer = api.track(api.event(), headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers[ALLOW] == origin
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        *(
            EVIL,
            "null",
            "",
            "http://www.acme.test",
            f"{PAGE}:8443",
            "https://acme.test",
            "https://acme.example",
        ),
        *("https://localhost:3000", "http://localhost:3000.evil.example", "http://localhost:x", "*"),
        *(
            "https://www.acme.test.evil.example",
            "https://evilacme.example",
            "https://evil.example/www.acme.test",
        ),
        *("https://*.acme.example", "http://localhost:*", "https://www.acme.test@evil.example"),
    ],
)
def test_a_foreign_page_is_refused_and_nothing_is_stored(api: Api, origin: str) -> None:
    mine = {"workspaceId": str(api.workspace.id)}
    about = {**mine, "contactId": NOBODY, "type": "call", "title": "Called"}
    others: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", CONSENT, {**mine, "visitorId": "v", "consent": {"analytics": False}}),
        ("PUT", f"{CONTACTS}/{NOBODY}", {**mine, "firstName": "Eve"}),
        ("POST", ACTIVITIES, about),
        ("POST", OPPORTUNITIES, {name: about[name] for name in about if name != "type"}),
    ]
    answers = [
        api.track(api.event(), headers={"Origin": origin}),
        api.client.post(
            IDENTIFY,
            json={"workspaceId": str(api.workspace.id), "visitorId": "v", "email": "a@b.test"},
            headers={"Origin": origin},
        ),
        api.client.post(
            CONTACTS,
            json={"workspaceId": str(api.workspace.id), "email": "a@b.test"},
            headers={"Origin": origin},
        ),
        api.submit(FIELDS, {"Origin": origin}),
        *(
            api.client.open(path, method=method, json=body, headers={"Origin": origin})
            for method, path, body in others
        ),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json["success"]) == (403, False)
        assert answer.json["message"].startswith("Origin: ")
        assert ALLOW not in answer.headers
        assert "Origin" in answer.headers["Vary"]
    assert VisitorEvent.objects.count() == EventRecord.objects.count() == Visitor.objects.count() == 0


def test_servers_send_no_origin_and_are_allowed(api: Api) -> None:
    answer = api.track(api.event())
    assert answer.status_code == 200
    assert ALLOW not in answer.headers


def test_the_allow_list_of_one_workspace_is_not_that_of_another(api: Api) -> None:
    other = Workspace(name="Other", allowed_origins=[EVIL]).save()
    refused = api.track(api.event(), headers={"Origin": EVIL})
    assert refused.status_code == 403
    assert refused.headers[ALLOW] == EVIL  # its pages may read why

    mixed = api.track(api.event(), api.event(workspaceId=str(other.id)), headers={"Origin": EVIL})
    assert (mixed.status_code, mixed.json["accepted"]) == (200, 1)
    assert [bad["index"] for bad in mixed.json["refused"]] == [0]
    assert VisitorEvent.objects.get().workspace_id == other.id


@pytest.mark.parametrize(
    "path",
    [
        TRACK,
        IDENTIFY,
        CONSENT,
        CONTACTS,
        f"{CONTACTS}/any",
        ACTIVITIES,
        OPPORTUNITIES,
        "/api/public/crm/forms/any/submit",
    ],
)
def test_a_preflight_from_an_allowed_origin_is_answered(api: Api, path: str) -> None:
    headers = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = api.client.options(path, headers=headers)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers[ALLOW] == PAGE
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"  # beacons send credentials
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type, Idempotency-Key"
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:*"])
def test_a_preflight_from_elsewhere_is_refused(api: Api, origin: str) -> None:
    answer = api.client.options(TRACK, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 403
    assert ALLOW not in answer.headers


def test_preflights_of_one_origin_ask_the_store_once(
    api: Api, count_store_commands: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    with count_store_commands() as commands:
        for _ in range(5):
            api.client.options(TRACK, headers={"Origin": PAGE})
            api.client.options(TRACK, headers={"Origin": EVIL})
    assert commands == ["find", "find"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("{}", "text/html", 415),
        ("{}", "application/json", 422),
        (b"x" * 2_000_000, "application/json", 413),
    ],
)
def test_a_page_may_read_errors_too(api: Api, body: str | bytes, content_type: str, status: int) -> None:
    answer = api.client.post(TRACK, data=body, content_type=content_type, headers={"Origin": PAGE})
    assert (answer.status_code, answer.headers[ALLOW]) == (status, PAGE)
    assert "Origin" in answer.headers["Vary"]

    foreign = api.client.post(TRACK, data=body, content_type=content_type, headers={"Origin": EVIL})
    assert (foreign.status_code, ALLOW in foreign.headers) == (status, False)


def test_public_answers_set_no_cookie_and_are_neither_sniffed_nor_cached(api: Api) -> None:
    for answer in (api.track(api.event()), api.track(), api.client.options(TRACK, headers={"Origin": PAGE})):
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_other_paths_are_left_alone(api: Api) -> None:
    answer = api.client.get("/healthz", headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert ALLOW not in answer.headers
