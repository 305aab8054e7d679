"""Texts with {{contact.firstName}} or, with a fallback, {{contact.firstName|there}}."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.conditions import lookup

FIELD = re.compile(r"\{\{\s*([\w.]+)\s*(?:\|([^{}]*))?\}\}")


class MissingField(ValueError):
    """A merge field has no value and no fallback, so the text cannot be written."""

    permanent = True


def names(text: str) -> list[str]:
    """The merge fields of a text, in order."""
    return [match[1] for match in FIELD.finditer(text)]


def has_stray_braces(text: str) -> bool:
    """Whether a `{{` is left that begins no merge field, most likely a mistyped one."""
    return "{{" in FIELD.sub("", text)


def render(text: str, facts: Mapping[str, Any]) -> str:
    """Fill the merge fields. Raises `MissingField` naming the field and how to give a fallback."""

    def value_of(match: re.Match[str]) -> str:
        name, fallback = match[1], match[2]
        value = lookup(facts, name)
        if value not in (None, ""):
            return str(value)
        if fallback is None:
            raise MissingField(f"{name} is empty: fill it, or give a fallback like {{{{{name}|there}}}}")
        return fallback.strip()

    return FIELD.sub(value_of, text)
