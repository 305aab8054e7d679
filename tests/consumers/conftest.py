"""A contact with an owner, and the ids that its events begin with."""

from __future__ import annotations

import pytest

from models.contact import Contact
from models.workspace import Member, Workspace


@pytest.fixture
def acme(stores: None) -> Workspace:
    return Workspace(name="Acme", members=[Member(name="Ada", email="ada@acme.test")]).save()


@pytest.fixture
def grace(acme: Workspace) -> Contact:
    named = {"first_name": "Grace", "last_name": "Hopper", "assigned_to": acme.members[0].user_id}
    return Contact.upsert(acme.id, "grace@navy.test", named)[0]


@pytest.fixture
def about(grace: Contact) -> dict[str, str]:
    return {"workspace_id": str(grace.workspace_id), "contact_id": str(grace.id)}
