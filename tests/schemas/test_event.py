"""Events on the wire: every version that was ever sent must decode for ever."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from bson import ObjectId
from pydantic import ValidationError

import schemas
from models import contact as contact_model
from schemas import event
from schemas.contact import ContactCreated, ContactLifecycleChanged
from schemas.contact import Stage as LifecycleStage
from schemas.email import EmailBounced
from schemas.event import Event, Payload, UnknownEvent, catalogue, decode, register, upcasts, versions
from schemas.page import PageViewed

assert schemas.__all__  # importing the package registers every event

# What the CRM promises to tell, and so the least that there must be.
PROMISED = re.split(
    r"\s+",
    """contact.created contact.updated contact.deleted contact.lifecycle_changed contact.recycled
contact.score_changed contact.owner_assigned opportunity.created opportunity.updated
opportunity.stage_changed opportunity.won opportunity.lost task.created task.completed task.overdue
activity.logged form.submitted email.received email.replied email.forwarded email.opened email.clicked
email.bounced email.unsubscribed page.viewed demo.requested intent.threshold_crossed meeting.scheduled
meeting.upcoming deal.stale sequence.completed integration.token_failed workflow.completed""",
)
VERBS = ("ed", "lost", "won", "overdue", "upcoming", "stale")  # what has come about
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


def test_every_version_of_an_event_has_its_golden_file() -> None:
    known = {f"{name}.v{version}.json" for name in catalogue() for version in versions(name)}

    assert known == {path.name for path in FIXTURES}


def test_every_promised_event_is_in_the_catalogue() -> None:
    assert set(PROMISED) - catalogue().keys() == set()


def test_every_version_since_the_first_decodes() -> None:
    assert {name: versions(name) for name in catalogue()} == {
        name: list(range(1, kind.version + 1)) for name, kind in catalogue().items()
    }


@pytest.mark.parametrize("kind", catalogue().values(), ids=lambda kind: f"{kind.type}.v{kind.version}")
def test_every_field_of_an_event_stands_in_its_golden_file(kind: type[Event]) -> None:
    sent = json.loads((GOLDEN / f"{kind.type}.v{kind.version}.json").read_text())["payload"]

    assert {field.alias for field in kind.model_fields.values()} == sent.keys()


@pytest.mark.parametrize("kind", catalogue().values(), ids=lambda kind: f"{kind.type}.v{kind.version}")
def test_an_event_is_named_in_the_past_tense_with_its_family(kind: type[Event]) -> None:
    family, _, verb = kind.type.partition(".")

    assert kind.__module__ == f"schemas.{family}"
    assert verb.endswith(VERBS)


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


def test_a_time_in_a_key_is_the_one_that_the_store_gives_back() -> None:
    def viewed(at: str) -> Any:
        view = {"workspaceId": WORKSPACE, "visitId": CONTACT, "visitorId": "v", "url": "/", "viewedAt": at}
        return PageViewed.model_validate(view)

    assert viewed("2026-02-04T10:30:00.123456+01:00") == viewed("2026-02-04T09:30:00.123Z")


def test_a_key_names_the_type_and_what_makes_it_unique() -> None:
    step = ContactLifecycleChanged(workspace_id=WORKSPACE, contact_id=CONTACT, stage="mql", occasion="rule:7")

    assert step.key == f"contact.lifecycle_changed:{WORKSPACE}:{CONTACT}:mql:rule:7"


def test_the_subject_is_the_first_record_that_is_given() -> None:
    view = PageViewed.model_validate(
        {
            "workspaceId": WORKSPACE,
            "visitId": CONTACT,
            "visitorId": "v",
            "url": "/",
            "viewedAt": "2026-02-04T09:30Z",
        }
    )
    bounced = EmailBounced(
        workspace_id=WORKSPACE, message_id=CONTACT, account_id=CONTACT, recipients=[], is_permanent=False
    )

    assert view.subject is None
    assert bounced.subject == f"{WORKSPACE}:message:{CONTACT}"
    assert bounced.model_copy(update={"contact_id": WORKSPACE}).subject == f"{WORKSPACE}:contact:{WORKSPACE}"


@pytest.mark.parametrize("kind", catalogue().values(), ids=lambda kind: str(kind.type))
def test_what_names_an_event_or_its_record_is_a_field_of_it(kind: type[Event]) -> None:
    assert {*kind.unique_by, *kind.about} <= kind.model_fields.keys()
    assert all(field.endswith("_id") for field in kind.about)
    assert all(kind.model_fields[field].is_required() for field in kind.unique_by)


def test_the_stages_of_an_event_are_those_of_a_contact() -> None:
    assert get_args(LifecycleStage) == contact_model.STAGES


def test_a_type_is_registered_once() -> None:
    with pytest.raises(ValueError, match=r"contact\.created is registered twice"):
        register(ContactCreated)


@pytest.fixture
def parcel(monkeypatch: pytest.MonkeyPatch) -> type[Event]:
    """An event whose third version is in use: weights were pounds once, and one field had another name."""
    monkeypatch.setattr(event, "_classes", dict(event._classes))
    monkeypatch.setattr(event, "_upcasters", dict(event._upcasters))

    @register
    class ParcelShipped(Event):
        type = "parcel.shipped"
        version = 3

        parcel_id: str
        grams: int

    @upcasts("parcel.shipped", 1)
    def _renamed(old: Payload) -> Payload:
        old["parcelId"] = old.pop("number")
        return old

    @upcasts("parcel.shipped", 2)
    def _metric(old: Payload) -> Payload:
        old["grams"] = round(old.pop("pounds") * 453.59237)
        return old

    return ParcelShipped


@pytest.mark.parametrize(
    ("version", "sent"),
    [
        (1, {"number": "P-1", "pounds": 2}),
        (2, {"parcelId": "P-1", "pounds": 2}),
        (3, {"parcelId": "P-1", "grams": 907}),
    ],
)
def test_an_old_version_is_lifted_to_the_newest(
    parcel: type[Event], version: int, sent: dict[str, Any]
) -> None:
    old = {"workspaceId": WORKSPACE, **sent}
    kept = dict(old)
    lifted = decode("parcel.shipped", version, old)

    assert isinstance(lifted, parcel)
    assert lifted.payload() == {"workspaceId": WORKSPACE, "parcelId": "P-1", "grams": 907}
    assert old == kept, "the stored payload is left as it was"


def test_a_version_that_cannot_be_lifted_is_unknown(parcel: type[Event]) -> None:
    del event._upcasters["parcel.shipped", 1]

    assert versions(parcel.type) == [2, 3]
    with pytest.raises(UnknownEvent, match=r"version 1 is unknown here \(known versions: \[2, 3\]\)"):
        decode("parcel.shipped", 1, {"workspaceId": WORKSPACE, "number": "P-1", "pounds": 2})


def test_a_version_has_one_upcaster(parcel: type[Event]) -> None:
    with pytest.raises(ValueError, match=rf"two upcasters lift {parcel.type} version 2"):
        upcasts(parcel.type, 2)(dict)
