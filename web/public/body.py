"""Read a request's body: JSON, and nothing that another reader could take for something else."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import current_app, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from web import errors

# Pages send JSON as text/plain to spare themselves the preflight, and a beacon may name no type at all.
TYPES = ("application/json", "text/plain", "")


def read_object() -> dict[str, Any]:
    """The body's JSON object. Raises the HTTP error that says what is wrong: 400, 413 or 415."""
    if request.mimetype not in TYPES:
        raise UnsupportedMediaType("Content-Type: must be application/json")
    value = _parse(_text())
    if not isinstance(value, dict):
        raise BadRequest("body: must be a JSON object")
    return value


def _text() -> str:
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    too_large = RequestEntityTooLarge(f"body: must not be larger than {limit} bytes")
    try:
        data = request.get_data()
        if request.content_length is None and len(data) >= limit:  # chunked: cut off there, silently
            raise too_large
        return data.decode()
    except RequestEntityTooLarge:
        raise too_large from None
    except UnicodeDecodeError:
        raise BadRequest("body: must be UTF-8") from None


def _parse(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadRequest(f"body: is not JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise BadRequest("body: is nested too deeply") from None
    except ValueError:  # Python refuses to read integers of thousands of digits
        raise BadRequest("body: holds a number that is too long") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadRequest(f"{errors.shown(name)}: is given twice")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"body: {name} is not JSON")
