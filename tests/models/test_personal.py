"""Every collection says what it does when a person asks to be forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from models import store


@pytest.mark.parametrize("kind", store.documents(), ids=lambda kind: str(kind.__name__))
def test_every_collection_erases_a_person_or_says_that_it_holds_nothing_personal(kind: Any) -> None:
    """A new one: add a classmethod `erase(cls, person)`, or `"personal_data": "none"` to its meta."""
    says_none = kind._meta.get("personal_data") == "none"
    assert says_none != hasattr(kind, "erase"), f"{kind.__name__}: see models/personal.py"
    names = set(kind._fields) & {"contact_id", "contact_ids", "email", "visitor_id"}
    assert not (says_none and names), f"{kind.__name__} has {names}"
