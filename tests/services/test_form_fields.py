"""What the fields of a form mean."""

from __future__ import annotations

from typing import Any

import pytest

from services import form_fields


@pytest.mark.parametrize("name", ["email", "E-Mail", "e_mail", "Mail", "EMAIL ADDRESS"])
def test_an_email_field_is_found_under_its_usual_names(name: str) -> None:
    assert form_fields.email_field({"message": "x", name: "a@b.test"}) == name


@pytest.mark.parametrize("fields", [{}, {"email": ""}, {"emailing": "a@b.test"}, {"name": "a@b.test"}])
def test_no_email_field_is_none(fields: dict[str, Any]) -> None:
    assert form_fields.email_field(fields) is None


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"First Name": " Grace ", "surname": "Hopper"}, {"first_name": "Grace", "last_name": "Hopper"}),
        ({"name": "Grace Brewster Hopper"}, {"first_name": "Grace", "last_name": "Brewster Hopper"}),
        ({"name": "Grace"}, {"first_name": "Grace"}),
        ({"name": "G. Hopper", "firstName": "Grace"}, {"first_name": "Grace", "last_name": "Hopper"}),
        (
            {"Organisation": "Navy", "tel": "1", "position": "CTO"},
            {"company": "Navy", "phone": "1", "job_title": "CTO"},
        ),
        ({"company": " ", "phone": 5, "title": ["x"], "tel": None}, {}),
        ({"company": "a" * 257}, {}),
        (
            {"company": "Salt\r\nand  Pine", "phone": "\x1b]0;x\x07", "title": "\x9b2J"},
            {"company": "Salt and Pine"},
        ),
        ({"leadScore": "100", "status": "customer", "message": "Hello"}, {}),
    ],
)
def test_only_what_a_contact_has_is_taken(fields: dict[str, Any], known: dict[str, str]) -> None:
    assert form_fields.contact_fields(fields) == known
