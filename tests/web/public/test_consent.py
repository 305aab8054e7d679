"""Whether a visitor may be tracked: its own word, and without one the workspace's setting."""

from __future__ import annotations

from typing import Any

import pytest

from models.contact import Contact
from models.form_submission import FormSubmission
from models.visitor import Visitor
from models.visitor_event import VisitorEvent
from models.workspace import Workspace
from tests.web.public.conftest import Api, published
from tests.web.public.test_forms import FIELDS


@pytest.fixture
def strict(api: Api) -> Api:
    """A workspace that tracks only who agreed."""
    api.workspace.needs_consent = True
    api.workspace.save()
    return api


def test_who_refused_is_not_tracked_and_that_is_no_error(api: Api) -> None:
    assert api.consent(False).json == {"success": True, "consent": {"analytics": False}}
    answer = api.track(api.event(), api.event(visitorId="somebody-else"))

    assert (answer.status_code, answer.json) == (
        200,
        {"success": True, "accepted": 1, "dropped": 1, "refused": []},
    )
    assert [event.visitor_id for event in VisitorEvent.objects] == ["somebody-else"]
    assert [record.payload["visitorId"] for record in published()] == ["somebody-else"]


def test_a_refusal_that_a_web_process_has_not_heard_of_counts_all_the_same(api: Api) -> None:
    """It remembers for some seconds that nobody of the workspace has refused."""
    api.track(api.event(eventName="before"))
    Workspace.note_refusal(api.workspace.id)
    Visitor.decide(api.workspace.id, "visitor-1", agrees=False)
    both = api.track(api.event(), api.event(visitorId="somebody-else"))

    assert both.json["accepted"] == 2
    stored = {(event.visitor_id, event.event_name) for event in VisitorEvent.objects}
    assert stored == {("visitor-1", "before"), ("somebody-else", "Page viewed")}


def test_a_form_names_no_visitor_who_refused_though_its_workspace_does_not_say_that_somebody_did(
    api: Api,
) -> None:
    """As when another program has put the workspace's document back as it was."""
    api.consent(False)
    Workspace.objects(id=api.workspace.id).update_one(unset__has_refusals=True)

    api.submit(FIELDS, visitorId="visitor-1")
    assert FormSubmission.objects.get().visitor_id is None


def test_a_batch_of_which_nothing_may_be_kept_is_a_success_too(api: Api) -> None:
    """Or clients would send it again."""
    api.consent(False)
    answer = api.track(api.event())
    assert (answer.status_code, answer.json["accepted"], answer.json["dropped"]) == (200, 0, 1)


def test_a_workspace_that_needs_consent_tracks_only_who_agreed(strict: Api) -> None:
    strict.consent(True, "agreed")
    strict.consent(False, "refused")
    answer = strict.track(*(strict.event(visitorId=name) for name in ("agreed", "refused", "not asked")))
    assert (answer.json["accepted"], answer.json["dropped"]) == (1, 2)
    assert VisitorEvent.objects.get().visitor_id == "agreed"
    assert Visitor.objects.count() == 2  # of who was not asked there is no trace


def test_the_last_word_counts(api: Api) -> None:
    for agrees, accepted in ((False, 0), (True, 1), (False, 0)):
        api.consent(agrees)
        assert api.track(api.event()).json["accepted"] == accepted


def test_who_refused_becomes_a_contact_by_name_but_its_visits_stay_nobodys(api: Api) -> None:
    api.track(api.event())
    api.consent(False)
    contact_id = api.identify().json["contactId"]
    api.submit(FIELDS, visitorId="visitor-1")

    assert str(Contact.objects.get().id) == contact_id
    assert VisitorEvent.objects.get().contact_id is None
    assert Visitor.objects.get().contact_id is None
    assert FormSubmission.objects.get().visitor_id is None


def test_one_who_was_not_asked_is_not_linked_where_consent_is_needed(strict: Api) -> None:
    strict.identify()
    assert Visitor.objects.count() == 0
    strict.consent(True)
    strict.track(strict.event())
    strict.identify()
    assert (
        VisitorEvent.objects.get().contact_id == Visitor.objects.get().contact_id == Contact.objects.get().id
    )


def test_a_known_visitor_who_refuses_is_known_no_longer(api: Api) -> None:
    contact_id = api.identify().json["contactId"]
    api.track(api.event(eventName="before"))
    api.consent(False)
    api.track(api.event(eventName="refused"))
    api.consent(True)
    api.track(api.event(eventName="after"))

    stored = {event.event_name: event.contact_id for event in VisitorEvent.objects}
    assert {name: str(contact) for name, contact in stored.items()} == {"before": contact_id, "after": "None"}


def test_a_refusal_that_comes_while_the_visitor_is_identified_counts(api: Api) -> None:
    api.consent(False)
    contact, _ = Contact.upsert(api.workspace.id, "grace@navy.test", {})
    assert Visitor.identify(api.workspace.id, "visitor-1", contact.id) is None
    assert Visitor.objects.get().contact_id is None


def test_the_answer_of_one_workspaces_visitor_is_not_that_of_anothers(api: Api) -> None:
    other = type(api.workspace)(name="Other").save()
    api.consent(False)
    assert api.track(api.event(workspaceId=str(other.id))).json["accepted"] == 1


@pytest.mark.parametrize("answer", [None, "yes", 1, "false", {}])
def test_an_answer_is_yes_or_no(api: Api, answer: Any) -> None:
    refused = api.consent(answer)
    assert refused.status_code == 422
    assert refused.json["message"].startswith("consent.analytics: ")
    assert Visitor.objects.count() == 0
