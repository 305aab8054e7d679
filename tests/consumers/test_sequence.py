"""Who answers, leaves or cannot be reached gets no further step of a sequence, and that is told once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from consumers import sequence
from consumers.registry import Delivery
from models import store
from models.contact import Contact
from models.email_message import EmailMessage
from models.enrolment import Enrolment
from models.event import EventRecord
from models.sequence import Sequence
from schemas.contact import ContactDeleted
from schemas.email import EmailBounced, EmailReceived, EmailReplied, EmailUnsubscribed
from schemas.event import Event
from tests.reactions import RunJobs, happens, timeline

MAIL = {"message_id": str(ObjectId()), "account_id": str(ObjectId())}
BOUNCE = {**MAIL, "recipients": ["grace@navy.test"]}


@pytest.fixture
def enrolment(grace: Contact) -> Enrolment:
    welcome = Sequence(workspace_id=grace.workspace_id, name="Welcome").save()
    Enrolment.enrol_once(
        workspace_id=grace.workspace_id, sequence_id=welcome.id, version=1, contact_id=grace.id, key="1"
    )
    return Enrolment.objects.get()


@pytest.mark.parametrize(
    ("kind", "fields", "outcome", "title"),
    [
        (EmailReplied, MAIL, "replied", "Answered: no further mail of the sequence Welcome"),
        (
            EmailUnsubscribed,
            {"method": "page", "unsubscribed_at": store.now()},
            "unsubscribed",
            "Unsubscribed: no further mail of the sequence Welcome",
        ),
        (
            EmailBounced,
            {**BOUNCE, "is_permanent": True},
            "bounced",
            "Cannot be reached: no further mail of the sequence Welcome",
        ),
        (ContactDeleted, {}, "stopped", "Was taken out of the sequence Welcome"),
    ],
)
def test_the_sequence_ends_and_that_is_told_once(
    enrolment: Enrolment,
    grace: Contact,
    about: dict[str, str],
    run_jobs: RunJobs,
    kind: type[Event],
    fields: dict[str, Any],
    outcome: str,
    title: str,
) -> None:
    record = happens(kind(**about, **fields), run_jobs)
    assert enrolment.reload().status == "stopped"
    end = EventRecord.objects.get(type="sequence.completed")
    assert (end.payload["outcome"], end.causation_id) == (outcome, str(record.id))
    assert timeline(grace)[-1] == title


def test_a_temporary_bounce_ends_nothing(
    enrolment: Enrolment, about: dict[str, str], run_jobs: RunJobs
) -> None:
    happens(EmailBounced(**about, **BOUNCE, is_permanent=False), run_jobs)
    assert enrolment.reload().status == "active"


def test_mail_of_nobody_we_know_ends_nothing(
    enrolment: Enrolment, about: dict[str, str], run_jobs: RunJobs
) -> None:
    happens(EmailReplied(workspace_id=about["workspace_id"], **MAIL), run_jobs)
    assert enrolment.reload().status == "active"


def test_who_dies_between_telling_and_stopping_tells_it_once(
    enrolment: Enrolment, about: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Enrolment) -> None:
        raise ConnectionError

    event, delivery = EmailReplied(**about, **MAIL), Delivery(str(ObjectId()), "correlation-1", store.now())
    with monkeypatch.context() as patch:
        patch.setattr(Enrolment, "stop", die)
        with pytest.raises(ConnectionError):
            sequence.stop_sequences(event, delivery)
    sequence.stop_sequences(event, delivery)
    assert enrolment.reload().status == "stopped"
    assert EventRecord.objects(type="sequence.completed").count() == 1


def sent(grace: Contact, at: datetime) -> dict[str, str]:
    """The fields of an event about a mail of hers."""
    fields = {"thread_key": "t", "sent_at": at, "kind": "auto-reply", "dedupe_key": str(at)}
    (stored,) = EmailMessage.store(grace.workspace_id, ObjectId(), [fields])
    return MAIL | {"message_id": str(stored.id)}


def test_an_automatic_reply_pauses_and_a_reply_after_it_ends_the_sequence(
    enrolment: Enrolment, grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    record = happens(EmailReceived(**about, **MAIL, kind="auto-reply"), run_jobs)
    enrolment.reload()
    assert (enrolment.status, enrolment.paused_at) == ("active", record.accepted_at)
    assert timeline(grace) == ["Automatic reply: paused in the sequence Welcome"]

    happens(EmailReplied(**about, **MAIL | {"message_id": str(ObjectId())}), run_jobs)
    assert enrolment.reload().status == "stopped"


def test_who_is_paused_cannot_be_enrolled_again_and_can_be_resumed(
    enrolment: Enrolment, grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    happens(EmailReceived(**about, **MAIL, kind="auto-reply"), run_jobs)
    again = {"sequence_id": enrolment.sequence_id, "version": 1, "contact_id": grace.id, "key": "2"}
    assert not Enrolment.enrol_once(workspace_id=grace.workspace_id, **again)
    enrolment.resume()
    assert enrolment.reload().paused_at is None


def test_a_mail_that_a_person_wrote_pauses_nothing(
    enrolment: Enrolment, grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    happens(EmailReceived(**about, **MAIL, kind="new"), run_jobs)
    assert enrolment.reload().paused_at is None
    assert timeline(grace) == []


@pytest.mark.parametrize(("days", "status", "is_paused"), [(2, "active", False), (0, "stopped", True)])
def test_mail_from_before_the_enrolment_changes_nothing(
    enrolment: Enrolment,
    grace: Contact,
    about: dict[str, str],
    run_jobs: RunJobs,
    days: int,
    status: str,
    is_paused: bool,
) -> None:
    mail = sent(grace, enrolment.enrolled_at - timedelta(days=days))
    happens(EmailReceived(**about, **mail, kind="auto-reply"), run_jobs)
    happens(EmailReplied(**about, **mail), run_jobs)
    enrolment.reload()
    assert (enrolment.status, enrolment.paused_at is not None) == (status, is_paused)
