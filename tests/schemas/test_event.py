"""Events on the wire: every version that was ever sent must decode for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pydantic import ValidationError

import schemas
from schemas import event
from schemas.contact import ContactCreated
from schemas.email import EmailBounced
from schemas.event import Event, UnknownEvent, decode, register

assert schemas.__all__  # importing the package registers every event

GOLDEN = Path(__file__).parent / "golden"
FIXTURES = sorted(GOLDEN.glob("*.json"))
WORKSPACE, CONTACT = str(ObjectId()), str(ObjectId())


def payload(**changes: Any) -> dict[str, Any]:
    return {"workspaceId": WORKSPACE, "contactId": CONTACT, "source": "form"} | changes


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: str(path.stem))
def test_what_was_once_sent_still_decodes_and_says_the_same(path: Path) -> None:
    """Never edit a golden file of a released event: a change that breaks one needs a new version."""
    sent = json.loads(path.read_text())
    decoded = decode(sent["type"], sent["version"], sent["payload"])

    assert path.name == f"{sent['type']}.v{sent['version']}.json"
    assert {name: decoded.payload().get(name) for name in sent["payload"]} == sent["payload"]


def test_every_registered_event_has_its_golden_file() -> None:
    registered = {f"{name}.v{version}.json" for name, version in event._classes}

    assert registered == {path.name for path in FIXTURES}


@pytest.mark.parametrize("kind", event._classes.values(), ids=lambda kind: f"{kind.type}.v{kind.version}")
def test_every_field_of_an_event_stands_in_its_golden_file(kind: type[Event]) -> None:
    sent = json.loads((GOLDEN / f"{kind.type}.v{kind.version}.json").read_text())["payload"]

    assert {field.alias for field in kind.model_fields.values()} == sent.keys()


@pytest.mark.parametrize("kind", event._classes.values(), ids=lambda kind: f"{kind.type}.v{kind.version}")
def test_an_event_is_named_in_the_past_tense_with_its_family(kind: type[Event]) -> None:
    family, _, verb = kind.type.partition(".")

    assert kind.__module__ == f"schemas.{family}"
    assert verb.endswith(("ed", "lost", "won"))


@pytest.mark.parametrize(
    ("name", "version", "reason"),
    [
        ("contact.created", 99, "known versions: [1]"),
        ("contact.create", 1, "no such type"),
        ("contact.created", 0, "known versions: [1]"),
        ("", 1, "no such type"),
    ],
)
def test_an_unknown_event_is_refused_for_good_with_the_reason(name: str, version: int, reason: str) -> None:
    with pytest.raises(UnknownEvent) as refused:
        decode(name, version, payload())

    assert refused.value.permanent
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"contactId": "not-an-id"}, "contactId"),
        ({"contactId": None}, "contactId"),
        ({"contactId": 5}, "contactId"),
        ({"contactId": "\x00" * 24}, "contactId"),
        ({"source": "telepathy"}, "source"),
        ({"leadScore": 100}, "leadScore"),
        ({"workspaceId": ""}, "workspaceId"),
    ],
)
def test_a_bad_payload_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        decode("contact.created", 1, payload(**changes))

    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_a_payload_survives_its_way_through_json() -> None:
    sent = EmailBounced(
        workspace_id=WORKSPACE,
        message_id=CONTACT,
        account_id=CONTACT,
        recipients=["grace@navy.test"],
        is_permanent=True,
    )
    received = decode(sent.type, sent.version, json.loads(json.dumps(sent.payload())))

    assert received == sent
    assert "original" not in sent.payload()


def test_an_event_cannot_be_changed() -> None:
    fact = ContactCreated(workspace_id=WORKSPACE, contact_id=CONTACT, source="form")
    with pytest.raises(ValidationError, match="frozen"):
        fact.source = "api"  # type: ignore[misc]


def test_an_event_of_one_key_says_the_same_of_its_subject() -> None:
    first = ContactCreated(workspace_id=WORKSPACE, contact_id=CONTACT, source="form")
    again = ContactCreated(workspace_id=WORKSPACE, contact_id=CONTACT, source="api")
    other = ContactCreated(workspace_id=WORKSPACE, contact_id=str(ObjectId()), source="form")

    assert first.key == again.key != other.key


def test_a_version_is_registered_once() -> None:
    with pytest.raises(ValueError, match=r"contact\.created version 1 is registered twice"):
        register(ContactCreated)
