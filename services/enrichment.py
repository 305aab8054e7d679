"""What enrichment may write into a contact: field by field, and never over what a person typed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def changes(
    known: Mapping[str, Any], written: Mapping[str, Any], found: Mapping[str, str | None]
) -> dict[str, str]:
    """The fields that get another value.

    `known`: the contact's values; `written`: what enrichment wrote last; `found`: what it says now. A field
    is ours to write while it is empty or still holds what we wrote. Nothing is ever blanked.
    """
    return {
        name: value
        for name, value in found.items()
        if value and value != known.get(name) and _is_ours(known.get(name), written.get(name))
    }


def _is_ours(known: Any, written: Any) -> bool:
    return not known or known == written
