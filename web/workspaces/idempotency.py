"""The `Idempotency-Key` header: a request that has one can be repeated safely."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import UnprocessableEntity

from web.public import repeats


def key() -> str | None:
    """The key that the client gave; None: none. Raises 422 for an empty one, or one that is too long."""
    given = request.headers.get("Idempotency-Key")
    if given is not None and not 0 < len(given) <= repeats.LONGEST_KEY:
        raise UnprocessableEntity(f"Idempotency-Key: must have 1 to {repeats.LONGEST_KEY} characters")
    return given
