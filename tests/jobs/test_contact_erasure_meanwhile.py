"""A person who is erased may be on our pages at that moment: nothing that she does meanwhile stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from flask.testing import FlaskClient

from consumers import bulk
from jobs import contact_erasure
from models import store
from models.contact import Contact
from models.erasure import Erasure
from models.event import EventRecord
from models.form import Form, FormField
from models.form_submission import FormSubmission
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Workspace
from queues.connection import redis
from queues.job import Job
from tests import failing
from tests.jobs.test_contact_erasure import EMAIL, erase, everything
from tests.web.public.conftest import Api, settle_visits

BROWSER, SEARCH = "her-browser", "her-search"
HERS = {"visitorId": BROWSER, "url": f"https://acme.test/?q={SEARCH}"}
KINDS = [kind for kind in store.documents() if hasattr(kind, "erase")]
STEPS = [  # of the job that stores visits
    *((VisitorEvent, "store"), (Visitor, "known"), (VisitorEvent, "set_contacts"), (bulk, "publish")),
    (EventRecord, "accept"),
    (EventRecord, "mark_all_done"),
]


@pytest.fixture
def api(client: FlaskClient) -> Api:
    workspace = Workspace(name="Acme").save()
    return Api(
        client,
        workspace,
        Form(workspace_id=workspace.id, name="Talk to us", fields=[FormField(name="note")]).save(),
    )


@pytest.fixture
def grace(api: Api) -> Contact:
    contact, _ = Contact.upsert(api.workspace.id, EMAIL, {})
    Visitor.identify(api.workspace.id, BROWSER, contact.id)
    return contact


def look_until_nothing_is_found(contact: Contact, run_jobs: Callable[[], int]) -> int:
    """As the scheduler and the workers do, hour by hour; returns how often it was looked."""
    for looks in range(1, 5):
        run_jobs()
        contact_erasure.look_again(str(contact.id))
        if Erasure.of(contact.id).checked_at:
            return looks
    raise AssertionError("it is looked for ever")


def left() -> list[str]:
    after = everything().lower()
    return [secret for secret in (BROWSER, SEARCH, EMAIL) if secret in after]


@pytest.mark.parametrize("is_handled_at_once", [True, False])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
def test_visits_that_are_accepted_during_the_erasure_go_too(
    api: Api,
    grace: Contact,
    run_jobs: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    is_handled_at_once: bool,
) -> None:
    real = kind.erase

    def visited(person: Any) -> int:
        api.track(api.event(**HERS, sessionId="before"), settle=is_handled_at_once)
        count = int(real(person))
        api.track(api.event(**HERS, sessionId="after"), settle=is_handled_at_once)
        return count

    with monkeypatch.context() as patch:
        patch.setattr(kind, "erase", visited)
        erase(grace)

    look_until_nothing_is_found(grace, run_jobs)
    assert left() == []


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "identified-meanwhile"])
@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=lambda each: getattr(each, "__name__", each))
def test_visits_that_are_being_stored_while_the_person_is_erased_go_too(
    api: Api,
    run_jobs: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    is_before: bool,
    is_known: bool,
) -> None:
    grace, _ = Contact.upsert(api.workspace.id, EMAIL, {})
    if is_known:
        Visitor.identify(api.workspace.id, BROWSER, grace.id)
    api.track(api.event(**HERS), settle=False)
    real = getattr(owner, name)

    def interrupted(*args: Any) -> Any:
        result = None if is_before else real(*args)
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, real)
            Visitor.identify(api.workspace.id, BROWSER, grace.id)
            VisitorEvent.link_visitor(api.workspace.id, BROWSER, grace.id)
            erase(grace)
        return real(*args) if is_before else result

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        settle_visits()
    assert Erasure.of(grace.id).erased_at

    look_until_nothing_is_found(grace, run_jobs)
    assert left() == []


def test_a_browser_that_turns_out_to_be_the_persons_during_the_erasure_is_forgotten_too(
    api: Api, grace: Contact, run_jobs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FormSubmission.erase

    def identified(person: Any) -> int:
        Visitor.identify(api.workspace.id, "her-laptop", grace.id)
        return int(real(person))

    with monkeypatch.context() as patch:
        patch.setattr(FormSubmission, "erase", identified)
        erase(grace)
    api.track(api.event(visitorId="her-laptop", url=HERS["url"]))

    look_until_nothing_is_found(grace, run_jobs)
    assert left() == []
    assert "her-laptop" not in everything()


def test_visits_whose_job_died_before_it_looked_who_they_are_go_too(
    api: Api, grace: Contact, run_jobs: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.track(api.event(**HERS), settle=False)
    with monkeypatch.context() as patch:
        patch.setattr(Visitor, "known", Mock(side_effect=failing.Broken))
        patch.setattr(EventRecord, "erase", Mock(return_value=0))
        erase(grace)
        run_jobs()
    assert VisitorEvent.objects(visitor_id=BROWSER, contact_id=None).count() == 1

    look_until_nothing_is_found(grace, run_jobs)
    assert left() == []


def test_nobody_gets_what_an_erased_persons_browser_did_meanwhile(
    api: Api, grace: Contact, run_jobs: Callable[[], int]
) -> None:
    erase(grace)
    api.track(api.event(**HERS))
    body = {"workspaceId": str(api.workspace.id), "visitorId": BROWSER, "email": "new@navy.test"}
    assert api.client.post("/api/public/track/identify", json=body).status_code == 200
    assert VisitorEvent.objects.count() == 0

    assert look_until_nothing_is_found(grace, run_jobs) == 1
    assert Visitor.objects.count() == 0
    api.track(api.event(**HERS))
    assert VisitorEvent.objects.get().contact_id is None


@pytest.mark.parametrize("agrees", [True, False])
def test_what_the_browser_answers_after_the_erasure_is_kept(
    api: Api, grace: Contact, run_jobs: Callable[[], int], agrees: bool
) -> None:
    erase(grace)
    api.consent(agrees, visitor_id=BROWSER)
    look_until_nothing_is_found(grace, run_jobs)
    visitor = Visitor.objects.get()
    assert (visitor.consent, visitor.erased_for) == (agrees, None)


def test_what_a_browser_does_that_has_agreed_anew_stays(
    api: Api, grace: Contact, run_jobs: Callable[[], int]
) -> None:
    erase(grace)
    Erasure.objects.update(set__erased_at=store.now() - contact_erasure.MEANWHILE)
    api.consent(True, visitor_id=BROWSER)
    api.track(api.event(**HERS))
    api.track(api.event(**HERS, sessionId="later"), settle=False)
    assert look_until_nothing_is_found(grace, run_jobs) == 1
    assert VisitorEvent.objects.count() == EventRecord.objects(type="page.viewed").count() == 2


def test_what_a_look_finds_makes_another_one_due(
    api: Api, grace: Contact, run_jobs: Callable[[], int]
) -> None:
    erase(grace)
    VisitorEvent.store([_stored(api)])
    first, second = f"erasure-{grace.id}", f"erasure-{grace.id}-1"
    assert Job.exists(first, connection=redis())
    assert contact_erasure.look_again(str(grace.id)) == 1
    assert Erasure.of(grace.id).checked_at is None
    assert Job.fetch(second, connection=redis()).get_status() == "scheduled"
    assert Visitor.objects.count() == 1
    assert contact_erasure.look_again(str(grace.id)) == 0
    assert Erasure.of(grace.id).checked_at
    assert Visitor.objects.count() == 0


def _stored(api: Api) -> VisitorEvent:
    fields = {"session_id": "1", "event_type": "page_view", "event_name": "View", "url": HERS["url"]}
    return VisitorEvent(workspace_id=api.workspace.id, visitor_id=BROWSER, happened_at=store.now(), **fields)
