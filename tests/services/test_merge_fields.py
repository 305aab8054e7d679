"""Merge fields in texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import merge_fields

FACTS = {
    "contact": {"firstName": "Ada", "lastName": "", "leadScore": 0, "tags": ["vip", "hot"], "nothingYet": []},
    "event": {"isMachine": False},
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Dear {{contact.firstName}},", "Dear Ada,"),
        ("Dear {{ contact.firstName }},", "Dear Ada,"),
        ("{{contact.firstName}} {{contact.firstName}}", "Ada Ada"),
        ("Dear {{contact.lastName|friend}}", "Dear friend"),
        ("Dear {{contact.nothing| my friend }}", "Dear my friend"),
        ("Dear {{contact.nothing|}}!", "Dear !"),
        ("{{contact.leadScore}} points", "0 points"),  # zero is a value
        ("Of {{contact.tags}}", "Of vip, hot"),
        ("Of {{contact.nothingYet|none}}", "Of none"),
        ("{{event.isMachine}}", "false"),
        ("no fields, {single} and }} braces", "no fields, {single} and }} braces"),
        ("", ""),
    ],
)
def test_fields_are_filled(text: str, result: str) -> None:
    assert merge_fields.render(text, FACTS) == result


def test_a_long_value_does_not_fill_the_memory_by_coming_often() -> None:
    with pytest.raises(merge_fields.TextTooLong, match="with bio the text would be longer") as refusal:
        merge_fields.render("{{bio}}" * 2_000, {"bio": "x" * 250})

    assert refusal.value.permanent


@pytest.mark.parametrize("field", ["contact.lastName", "contact.nothing", "nothing.at.all"])
def test_an_empty_field_without_fallback_holds_the_text_for_good(field: str) -> None:
    with pytest.raises(merge_fields.MissingField, match=field) as refusal:
        merge_fields.render(f"Dear {{{{{field}}}}}", FACTS)

    assert refusal.value.permanent
    assert f"{{{{{field}|there}}}}" in str(refusal.value)


def test_a_value_is_text_and_never_a_template() -> None:
    facts = {"contact": {"firstName": "{{contact.secret}}", "secret": "s3cret"}}

    assert merge_fields.render("Dear {{contact.firstName}}", facts) == "Dear {{contact.secret}}"


@given(st.text())
def test_a_text_without_braces_stays_as_it_is(text: str) -> None:
    plain = text.replace("{", "(")

    assert merge_fields.render(plain, {}) == plain
