from datetime import timedelta

import pytest

from services.mail import threads
from services.mail.threads import Known, Thread, ThreadedBy
from tests.services.mail import mails
from tests.services.mail.mails import NOON

ADA, DEMO, GRACE = "ada@customer.example", "demo@acme.test", "grace@customer.example"


def known(key: str = "t1", **changes: object) -> Known:
    values: dict[str, object] = {
        "thread_key": key,
        "message_id": "first@acme.test",
        "provider_thread_id": None,
        "subject_key": "offer 7",
        "participants": frozenset({ADA, DEMO}),
        "sent_at": NOON - timedelta(days=1),
    }
    return Known(**{**values, **changes})  # type: ignore[arg-type]


def test_the_providers_thread_id_decides_first() -> None:
    message = mails.message("Re: Offer 7", in_reply_to=("first@acme.test",))
    candidates = [known("by-reference"), known("by-provider", message_id="x@y", provider_thread_id="g1")]
    found = threads.resolve(message, candidates, at=NOON, provider_thread_id="g1")
    assert found == Thread("by-provider", ThreadedBy.PROVIDER)


def test_the_nearest_known_reference_decides_next() -> None:
    message = mails.message("Other", references=("root@x", "first@acme.test", "unknown@x"))
    candidates = [known("root", message_id="root@x"), known("near")]
    assert threads.resolve(message, candidates, at=NOON) == Thread("near", ThreadedBy.REFERENCES)


@pytest.mark.parametrize(
    "subject", ["Re: Offer 7", "AW: offer 7", "SV: WG: Offer  7", "[EXTERN] Re: Offer 7"]
)
def test_without_references_subject_and_participants_decide(subject: str) -> None:
    found = threads.resolve(mails.message(subject), [known()], at=NOON)
    assert found == Thread("t1", ThreadedBy.SUBJECT)


def test_the_same_subject_after_thirty_days_is_another_thread() -> None:
    inside = known(sent_at=NOON - timedelta(days=30))
    outside = known(sent_at=NOON - timedelta(days=30, seconds=1))
    assert threads.resolve(mails.message("Re: Offer 7"), [inside], at=NOON).by is ThreadedBy.SUBJECT
    assert threads.resolve(mails.message("Re: Offer 7"), [outside], at=NOON).by is ThreadedBy.NEW


def test_the_same_subject_with_other_people_is_another_thread() -> None:
    message = mails.message("Offer 7", sender=GRACE)
    assert threads.resolve(message, [known()], at=NOON).by is ThreadedBy.NEW


def test_a_changed_cc_keeps_the_thread() -> None:
    message = mails.message("Re: Offer 7", to=(DEMO, GRACE))
    assert threads.resolve(message, [known()], at=NOON).by is ThreadedBy.SUBJECT


def test_empty_subjects_never_match() -> None:
    message = mails.message("Re:")
    assert threads.resolve(message, [known(subject_key="")], at=NOON).by is ThreadedBy.NEW


def test_a_message_without_date_uses_the_servers() -> None:
    message = mails.message("Re: Offer 7", sent_at=None)
    assert threads.resolve(message, [known()], at=NOON).by is ThreadedBy.SUBJECT
    assert threads.resolve(message, [known()], at=NOON + timedelta(days=60)).by is ThreadedBy.NEW


def test_a_reply_that_arrives_before_its_original_meets_it_in_one_thread() -> None:
    reply = mails.message("Re: Plan", message_id="r@x", in_reply_to=("o@x",), references=("o@x",))
    original = mails.message("Plan", message_id="o@x")
    first = threads.resolve(reply, [], at=NOON)
    stored = known(first.key, message_id="r@x", subject_key="something else")
    assert threads.resolve(original, [stored], at=NOON).key == first.key


def test_two_answers_to_an_unknown_original_share_a_thread() -> None:
    first = mails.message("Re: A", message_id="1@x", references=("root@x",), in_reply_to=("root@x",))
    second = mails.message("Re: B", message_id="2@x", references=("root@x", "y@x"), in_reply_to=("y@x",))
    stored = known(threads.resolve(first, [], at=NOON).key, message_id="1@x")
    assert threads.resolve(second, [stored], at=NOON).key == stored.thread_key


def test_hints_name_the_nearest_first() -> None:
    message = mails.message(in_reply_to=("c@x",), references=("a@x", "b@x", "c@x"))
    assert threads.hints(message) == ("c@x", "b@x", "a@x")
