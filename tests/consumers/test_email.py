"""What people do with our mail stands in their timelines."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bson import ObjectId

from models import store
from models.contact import Contact
from models.suppression import Suppression
from schemas.email import EmailBounced, EmailClicked, EmailOpened, EmailUnsubscribed
from tests.reactions import RunJobs, happens, timeline

LOST = "lost@navy.test"


def test_opens_and_clicks_are_told_and_those_of_machines_as_theirs(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    for is_machine in (False, True):
        hit = {"attempt_id": str(ObjectId()), "is_machine": is_machine}
        opened = EmailOpened(**about, **hit, hit_id=str(ObjectId()), opened_at=store.now())
        link = {"url": "https://acme.test", "clicked_at": store.now()}
        happens(opened, run_jobs)
        happens(EmailClicked(**about, **hit, **link, hit_id=str(ObjectId())), run_jobs)
    assert timeline(grace) == [
        "Opened an e-mail",
        "Followed a link in an e-mail",
        "Opened an e-mail (a mail scanner)",
        "Followed a link in an e-mail (a mail scanner)",
    ]


def test_who_unsubscribed_is_told(grace: Contact, about: dict[str, str], run_jobs: RunJobs) -> None:
    happens(EmailUnsubscribed(**about, method="one_click", unsubscribed_at=store.now()), run_jobs)
    assert timeline(grace) == ["Unsubscribed with one click"]


def test_who_unsubscribed_gets_no_more_mail_until_it_asks_for_it(
    grace: Contact, about: dict[str, str], run_jobs: RunJobs
) -> None:
    left = {"method": "one_click", "unsubscribed_at": store.now() - timedelta(minutes=1)}
    happens(EmailUnsubscribed(**about, **left), run_jobs)
    assert Suppression.among(grace.workspace_id, [grace.email]) == {grace.email: "unsubscribed"}
    Suppression.lift(grace.workspace_id, grace.email)
    happens(EmailUnsubscribed(**about, **left), run_jobs)
    assert Suppression.of(grace.workspace_id, grace.email) is None


@pytest.mark.parametrize(("is_permanent", "suppressed"), [(True, {LOST: "unreachable"}), (False, {})])
def test_an_address_that_is_bad_for_good_gets_no_more_mail_contact_or_not(
    grace: Contact, run_jobs: RunJobs, is_permanent: bool, suppressed: dict[str, str]
) -> None:
    ids = {
        "workspace_id": str(grace.workspace_id),
        "message_id": str(ObjectId()),
        "account_id": str(ObjectId()),
    }
    happens(EmailBounced(**ids, recipients=[LOST], is_permanent=is_permanent), run_jobs)
    assert Suppression.among(grace.workspace_id, [LOST, grace.email]) == suppressed
