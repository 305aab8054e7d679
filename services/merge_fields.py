"""Texts with {{contact.firstName}} or, with a fallback, {{contact.firstName|there}}."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.conditions import lookup

FIELD = re.compile(r"\{\{\s*([\w.]+)\s*(?:\|([^{}]*))?\}\}")


LONGEST = 200_000  # characters of all values in one text: a custom field may be long, and named often


class CannotRender(ValueError):
    """A text cannot be written with what is known; the message names the merge field."""

    permanent = True


class MissingField(CannotRender):
    """A merge field has no value and no fallback."""


class TextTooLong(CannotRender):
    """With the values of its merge fields the text becomes longer than anybody wants to read."""


def names(text: str) -> list[str]:
    """The merge fields of a text, in order."""
    return [match[1] for match in FIELD.finditer(text)]


def has_stray_braces(text: str) -> bool:
    """Whether a `{{` is left that begins no merge field, most likely a mistyped one."""
    return "{{" in FIELD.sub("", text)


def render(text: str, facts: Mapping[str, Any]) -> str:
    """Fill the merge fields. Raises `MissingField`, saying how to give a fallback, and `TextTooLong`."""
    room = LONGEST

    def value_of(match: re.Match[str]) -> str:
        nonlocal room
        name, fallback = match[1], match[2]
        value = lookup(facts, name)
        if value not in (None, "", []):
            filled = _text(value)
            room -= len(filled)
            if room < 0:
                raise TextTooLong(f"with {name} the text would be longer than {LONGEST} characters")
            return filled
        if fallback is None:
            raise MissingField(f"{name} is empty: fill it, or give a fallback like {{{{{name}|there}}}}")
        return fallback.strip()

    return FIELD.sub(value_of, text)


def _text(value: Any) -> str:
    """As people write it: a list as its items, yes and no as in the API."""
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
