"""The table of the lead score, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import lead_score

BEST = {
    "email": "ada@acme.test",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "company": "Acme",
    "job_title": "Founder",
    "phone": "+44 20 7946 0000",
    "source": "form",
}


@pytest.mark.parametrize(
    ("field", "value", "points"),
    [
        ("email", "ada@acme.test", 20),
        ("email", "ada@gmail.com", 5),
        ("email", "ADA@GMAIL.COM", 5),
        ("company", "Acme", 15),
        ("phone", "+44 20 7946 0000", 10),
        ("source", "form", 15),
        ("source", "api", 5),
        ("source", "manual", 5),
        ("source", "import", 0),
        ("job_title", "CEO", 25),
        ("job_title", "Co-Founder", 25),
        ("job_title", "VP Sales", 20),
        ("job_title", "Head of Marketing", 20),
        ("job_title", "Vice President, Sales", 20),
        ("job_title", "Product Manager", 10),
        ("job_title", "Product Owner", 10),
        ("job_title", "Director (EMEA)", 20),
        ("job_title", "Nurse", 5),
        ("job_title", "", 0),
        ("job_title", "Headhunter", 5),  # a sign is a word of its own
    ],
)
def test_each_fact_has_its_points(field: str, value: str, points: int) -> None:
    fact: dict[str, Any] = {field: value}

    assert lead_score.score(**fact).value == points


def test_a_name_counts_only_when_it_is_full() -> None:
    nameless = lead_score.score(email="a@b.test").value

    assert lead_score.score(email="a@b.test", first_name="Ada").value == nameless
    assert lead_score.score(email="a@b.test", last_name="Lovelace").value == nameless
    assert lead_score.score(email="a@b.test", first_name="Ada", last_name="Lovelace").value == nameless + 10


def test_nothing_known_is_nothing_scored() -> None:
    assert lead_score.score() == lead_score.LeadScore(0, "D", [])


def test_the_best_contact_has_an_a_and_its_reasons() -> None:
    best = lead_score.score(**BEST)

    assert (best.value, best.grade) == (95, "A")
    assert best.reasons == [
        "+20 business e-mail address",
        "+10 full name",
        "+15 company known",
        "+10 phone number",
        "+25 decision maker",
        "+15 came by form",
    ]


@pytest.mark.parametrize(
    ("value", "grade"),
    [(0, "D"), (29, "D"), (30, "C"), (49, "C"), (50, "B"), (69, "B"), (70, "A"), (100, "A")],
)
def test_grades_change_at_their_thresholds(value: int, grade: str) -> None:
    assert lead_score.grade_of(value) == grade


text = st.none() | st.text(max_size=40)


@given(st.fixed_dictionaries({name: text for name in BEST if name != "email"}), st.text(max_size=60))
def test_any_text_is_scored_between_0_and_100_and_the_reasons_add_up(
    facts: dict[str, str | None], email: str
) -> None:
    result = lead_score.score(email=email, **facts)

    assert 0 <= result.value <= 100
    assert result.value == sum(int(reason.split()[0]) for reason in result.reasons)
    assert result == lead_score.score(email=email, **facts)
