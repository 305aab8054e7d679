"""Every error answer of the API has one shape: `{"success": false, "message": "…"}`."""

from __future__ import annotations

import structlog
from flask import Flask, Response, jsonify
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as BaseResponse

from models import store
from models.store import StoreError
from services import sentry

log = structlog.get_logger()

DESCRIBED = 10  # problems named in one message
SHOWN = 60  # characters of a field's name, which may be a stranger's
RETRY_SECONDS = 5  # what we ask a client to wait while the store is away


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(StoreError, _store_failed)
    app.register_error_handler(Exception, _unexpected)


def describe(error: ValidationError, within: str = "") -> str:
    """Each wrong field by its wire name and what is wrong with it; never its value.

    `within`: the field of the body that was validated, when it was not all of it.
    """
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    above = (within,) if within else ()
    lines = [f"{_place((*above, *problem['loc']))}: {_what(problem)}" for problem in problems[:DESCRIBED]]
    more = len(problems) - len(lines)
    return "; ".join([*lines, f"and {more} more"] if more else lines)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(shown(str(part)) for part in location if part != "[key]") or "body"


def shown(name: str) -> str:
    """A stranger's field name, fit for a message."""
    return "".join(char if char.isprintable() else "?" for char in name[:SHOWN])


def _what(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return "is not a known field"
    if problem["type"] == "model_type":
        return "must be an object"
    return problem["msg"].removeprefix("Value error, ")


def answer(status: int, message: str) -> tuple[Response, int]:
    return jsonify(success=False, message=message), status


def _http(error: HTTPException) -> BaseResponse | tuple[Response, int]:
    if error.code is None or error.code < 400 or error.response:  # a redirect, or an answer of its own
        return error.get_response()
    response, status = answer(error.code, error.description or error.name)
    # Retry-After, Allow and the like are part of the error.
    response.headers.extend([pair for pair in error.get_headers() if pair[0] != "Content-Type"])
    return response, status


def _invalid(error: ValidationError) -> tuple[Response, int]:
    return answer(422, describe(error))


def _store_failed(error: StoreError) -> tuple[Response, int]:
    if not store.is_away(error):
        return _unexpected(error)  # it answers, and refuses: trying again does not help
    log.error("❌ the document store is away", error=type(error).__name__)
    response, status = answer(503, "the document store is away; try again")
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response, status


def _unexpected(error: Exception) -> tuple[Response, int]:
    log.exception("❌ unexpected error", error=type(error).__name__)
    sentry.capture(error)
    return answer(500, "unexpected error; it has been recorded")
