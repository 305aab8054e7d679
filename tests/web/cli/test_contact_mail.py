"""`flask contacts unsubscribe` and `resubscribe`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.contact import Contact
from models.suppression import Suppression
from models.workspace import Workspace
from tests.reactions import RunJobs, timeline
from tests.web.cli.conftest import Flask_

EMAIL = "grace@navy.test"


@pytest.fixture
def grace(stores: None) -> Contact:
    return Contact.upsert(Workspace(name="Acme").save().id, EMAIL, {})[0]


def test_a_contact_gets_no_mail_from_then_on_and_until_it_is_allowed(
    grace: Contact, flask: Flask_, flask_json: Callable[..., Any], run_jobs: RunJobs
) -> None:
    told = flask_json("contacts", "unsubscribe", "Grace@navy.test")
    assert told == {"contact": str(grace.id), "suppressed": "unsubscribed"}
    assert Suppression.of(grace.workspace_id, EMAIL).reason == "unsubscribed"
    run_jobs()
    assert timeline(grace) == ["Unsubscribed by request"]
    assert flask_json("contacts", "show", EMAIL)[0]["no_mail"] == "unsubscribed"

    assert "may get mail again" in flask("contacts", "resubscribe", EMAIL).stdout
    assert Suppression.of(grace.workspace_id, EMAIL) is None
    assert flask_json("contacts", "show", EMAIL)[0]["no_mail"] is None
    again = flask("contacts", "resubscribe", EMAIL)
    assert (again.exit_code, "is allowed as it is" in again.stderr) == (1, True)


def test_of_several_workspaces_one_has_to_be_named(grace: Contact, flask: Flask_) -> None:
    other, _ = Contact.upsert(Workspace(name="Other").save().id, EMAIL, {})
    assert flask("contacts", "unsubscribe", EMAIL).exit_code == 1
    assert flask("contacts", "unsubscribe", EMAIL, "--workspace", str(grace.workspace_id)).exit_code == 0
    assert Suppression.of(grace.workspace_id, EMAIL)
    assert Suppression.of(other.workspace_id, EMAIL) is None
