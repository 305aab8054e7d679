"""Bodies that are not what the public API takes, on every route."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

import config
from models.activity import Activity
from models.contact import Contact
from models.deal import Deal
from models.event import EventRecord
from models.form_submission import FormSubmission
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from tests.web.public.conftest import ACTIVITIES, CONSENT, CONTACTS, IDENTIFY, OPPORTUNITIES, TRACK, Api

FORM = "form"  # stands for the path of the fixture's form
CHANGE = "change"  # for the path of a contact
SOMEBODY = "66f0c1d2e3a4b5c6d7e8f902"
ROUTES = [TRACK, IDENTIFY, CONSENT, CONTACTS, CHANGE, FORM, ACTIVITIES, OPPORTUNITIES]
every_route = pytest.mark.parametrize("route", ROUTES)


def post(api: Api, route: str, data: bytes | str | None, **options: Any) -> TestResponse:
    options = {"content_type": "application/json"} | options
    path = {FORM: api.submit_path, CHANGE: f"{CONTACTS}/{SOMEBODY}"}.get(route, route)
    return api.client.open(path, method="PUT" if route == CHANGE else "POST", data=data, **options)


def nothing_is_stored() -> bool:
    kinds = (Activity, Contact, Deal, EventRecord, FormSubmission, Visitor, VisitorEvent)
    return not any(kind.objects.count() for kind in kinds)


@every_route
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "body: is not JSON (line 1, column 1)"),
        ("{", "body: is not JSON (line 1, column 2)"),
        ('{"a": secret}', "body: is not JSON (line 1, column 7)"),
        ("[]", "body: must be a JSON object"),
        ("null", "body: must be a JSON object"),
        ('"text"', "body: must be a JSON object"),
        ("1e999", "body: must be a JSON object"),
        ('{"a": NaN}', "body: NaN is not JSON"),
        ('{"a": [-Infinity]}', "body: -Infinity is not JSON"),
        ('{"a": 1, "a": 2}', "a: is given twice"),
        ('{"b": {"a\\u0000": 1, "a\\u0000": 2}}', "a?: is given twice"),
        ('{"a": ' + "9" * 5_000 + "}", "body: holds a number that is too long"),
        ("[" * 100_000, "body: is nested too deeply"),
        ('{"a":' * 100_000, "body: is nested too deeply"),
        (b'{"a": "\xff"}', "body: must be UTF-8"),
        ("{}".encode("utf-16"), "body: must be UTF-8"),
    ],
)
def test_what_is_not_a_json_object_is_a_400_that_says_why(
    api: Api, route: str, data: bytes | str, message: str
) -> None:
    answer = post(api, route, data)
    assert (answer.status_code, answer.json) == (400, {"success": False, "message": message})
    assert nothing_is_stored()


@every_route
@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/html"]
)
def test_another_content_type_is_a_415(api: Api, route: str, content_type: str) -> None:
    answer = post(api, route, "{}", content_type=content_type)
    assert answer.status_code == 415
    assert answer.json["message"] == "Content-Type: must be application/json"


@pytest.mark.parametrize("content_type", ["text/plain;charset=UTF-8", "application/json; charset=utf-8", ""])
def test_what_beacons_and_pages_without_a_preflight_send_is_read(api: Api, content_type: str) -> None:
    answer = post(api, TRACK, json.dumps({"events": [api.event()]}), content_type=content_type)
    assert answer.json == {"success": True, "accepted": 1, "refused": []}


@every_route
def test_ten_megabytes_are_a_413(api: Api, route: str) -> None:
    answer = post(api, route, b'{"events": "' + b"a" * 10_000_000 + b'"}')
    limit = config.settings().max_body_bytes
    assert answer.status_code == 413
    assert answer.json == {"success": False, "message": f"body: must not be larger than {limit} bytes"}


@every_route
def test_ten_megabytes_of_unannounced_length_are_a_413_and_are_not_read_to_the_end(
    api: Api, route: str
) -> None:
    stream = BytesIO(b'{"events": 1}' + b" " * 10_000_000)
    terminated = {"wsgi.input_terminated": True}  # as the real server marks chunked bodies
    answer = post(api, route, None, input_stream=stream, environ_overrides=terminated)
    assert answer.status_code == 413
    assert stream.tell() <= config.settings().max_body_bytes


@pytest.fixture
def port(api: Api) -> Iterator[int]:
    """A real server on a real socket."""
    server = make_server("127.0.0.1", 0, api.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"POST {TRACK} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 10000000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@every_route
def test_an_empty_object_is_a_422_that_names_what_is_missing(api: Api, route: str) -> None:
    answer = post(api, route, "{}")
    missing = {TRACK: "events", FORM: "fields"}.get(route, "workspaceId")
    assert answer.status_code == 422
    assert answer.json["message"].startswith(f"{missing}: Field required")


def test_of_very_many_wrong_fields_ten_are_named(api: Api) -> None:
    answer = post(api, CONTACTS, json.dumps({"x" * 200 + str(place): 1 for place in range(500)}))
    assert answer.status_code == 422
    assert len(answer.json["message"]) < 1_500
    assert answer.json["message"].endswith("; and 492 more")


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("PUT", 405), ("DELETE", 405)])
def test_another_method_is_a_405_that_says_which_are_allowed(api: Api, method: str, status: int) -> None:
    answer = api.client.open(TRACK, method=method)
    assert (answer.status_code, answer.json["success"]) == (status, False)
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("name", ["_cls", "_ref"])
@pytest.mark.parametrize("nested", [False, True])
def test_what_the_store_would_read_as_a_document_is_refused_by_name(
    api: Api, name: str, nested: bool
) -> None:
    bad: dict[str, Any] = {"x": {name: "Workspace"}} if nested else {name: "Workspace"}
    answers = [
        api.track(api.event(properties=bad)),
        api.identify(**bad),
        api.contact(customFields=bad),
        api.submit({"E-Mail": "grace@navy.test", **bad}),
    ]
    assert {answer.status_code for answer in answers} == {422}
    assert all(f"must not be named {name}" in answer.text for answer in answers)
    assert nothing_is_stored()


texts = st.sampled_from(["_cls", "_ref", "_id"]) | st.text(st.characters(codec=None), max_size=8)
numbers = st.integers() | st.floats(allow_nan=True)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
FIELDS = {
    TRACK: [
        "workspaceId",
        "visitorId",
        "sessionId",
        "eventType",
        "url",
        "timestamp",
        "properties",
        "device",
        "utm",
    ],
    IDENTIFY: ["workspaceId", "visitorId", "email", "properties"],
    CONTACTS: ["workspaceId", "email", "firstName", "tags", "customFields", "source"],
    FORM: ["fields", "visitorId"],
    CONSENT: ["workspaceId", "visitorId", "consent"],
    CHANGE: ["workspaceId", "email", "firstName", "tags", "customFields"],
    ACTIVITIES: [
        "workspaceId",
        "contactId",
        "type",
        "title",
        "description",
        "properties",
        "happenedAt",
    ],
    OPPORTUNITIES: [
        "workspaceId",
        "contactId",
        "title",
        "value",
        "currency",
        "expectedCloseDate",
        "customFields",
    ],
}
FREE = {  # the field that takes anything, with limits
    TRACK: "properties",
    IDENTIFY: "properties",
    CONSENT: "consent",
    FORM: "fields",
    ACTIVITIES: "properties",
}
addresses = count(1)


@every_route
@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_json_whatsoever_makes_the_server_fail(api: Api, route: str, data: st.DataObject) -> None:
    """Bodies that are arbitrary, and good ones with some fields replaced by anything."""
    mine = {"workspaceId": str(api.workspace.id)}
    grace = Contact.objects(id=SOMEBODY).first() or Contact(
        id=SOMEBODY, workspace_id=api.workspace.id, email="grace@navy.test"
    )
    grace.save()
    good: dict[str, Any] = {
        TRACK: api.event(),
        IDENTIFY: {**mine, "visitorId": "v", "email": "grace@navy.test"},
        CONSENT: {**mine, "visitorId": "v", "consent": {"analytics": True}},
        CONTACTS: {**mine, "email": "grace@navy.test"},
        CHANGE: mine,
        ACTIVITIES: {**mine, "contactId": SOMEBODY, "type": "call", "title": "Called"},
        OPPORTUNITIES: {**mine, "contactId": SOMEBODY, "title": "Ten seats"},
        FORM: {"fields": {"E-Mail": "grace@navy.test"}},
    }[route]
    changes = st.dictionaries(st.sampled_from(FIELDS[route]) | texts, values, max_size=3)
    free = FREE.get(route, "customFields")
    inner = st.dictionaries(texts, values, max_size=3).map(
        lambda more: {free: {**good.get(free, {}), **more}}
    )
    body = data.draw(values | (changes | inner).map(lambda change: good | change))
    if route == TRACK:
        body = data.draw(st.just({"events": [body, api.event()]}) | st.just(body))

    address = next(addresses)
    answer = post(
        api,
        route,
        json.dumps(body),
        environ_overrides={"REMOTE_ADDR": f"10.{address >> 16}.{address >> 8 & 255}.{address & 255}"},
    )

    assert answer.status_code in (200, 400, 404, 409, 422), answer.json
    assert answer.json["success"] is (answer.status_code == 200)
    assert answer.status_code == 200 or ":" in answer.json["message"]
