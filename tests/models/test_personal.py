"""Every collection says what it does when a person asks to be forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from models import store

# A contact's own fields, but for those that every record may have; and what points to a contact.
PERSONAL = {"contact_id", "contact_ids", "visitor_id"} | {
    *("email", "first_name", "last_name", "company", "company_id", "job_title", "phone", "custom_fields"),
    *("recipient", "recipients", "ip", "user_agent", "body", "payload"),
}


@pytest.mark.parametrize("kind", store.documents(), ids=lambda kind: str(kind.__name__))
def test_every_collection_erases_a_person_or_says_that_it_holds_nothing_personal(kind: Any) -> None:
    """A new one: add a classmethod `erase(cls, person)`, or `"personal_data": "none"` to its meta."""
    says_none = kind._meta.get("personal_data") == "none"
    assert says_none != hasattr(kind, "erase"), f"{kind.__name__}: see models/personal.py"
    names = set(kind._fields) & PERSONAL
    assert not (says_none and names), f"{kind.__name__} has {names}"
