"""What people do with our mail stands in their timelines."""

from __future__ import annotations

from bson import ObjectId

from models import store
from models.contact import Contact
from schemas.email import EmailClicked, EmailOpened, EmailUnsubscribed
from tests.reactions import RunJobs, happens, timeline


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
