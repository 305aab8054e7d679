"""Enrichment fills in and keeps up to date, and never takes away."""

from __future__ import annotations

import pytest

from services import enrichment

# What the contact holds, what enrichment wrote last, what it says now; and what is written then.
CASES = [
    ("an empty field is filled", None, None, "Grace", "Grace"),
    ("a blank field is filled", "", None, "Grace", "Grace"),
    ("what a person typed stays", "Gracie", None, "Grace", None),
    ("what a person changed since stays", "Gracie", "Grace", "Grace", None),
    ("what enrichment wrote follows it", "Grace", "Grace", "Grace B.", "Grace B."),
    ("the same again changes nothing", "Grace", "Grace", "Grace", None),
    ("what a person typed alike stays", "Grace", None, "Grace", None),
    ("nothing is blanked by nothing", "Grace", "Grace", None, None),
    ("nothing is blanked by an empty text", "Grace", "Grace", "", None),
    ("what a person emptied is filled again", None, "Grace", "Grace", "Grace"),
]


@pytest.mark.parametrize(
    ("known", "written", "found", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_who_wins(known: str | None, written: str | None, found: str | None, expected: str | None) -> None:
    wrote = {"first_name": written} if written else {}
    changes = enrichment.changes({"first_name": known}, wrote, {"first_name": found})
    assert changes == ({"first_name": expected} if expected else {})
