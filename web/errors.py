"""Every error answer of the API has one shape: `{"success": false, "message": "…"}`."""

from __future__ import annotations

import structlog
from flask import Flask, Response, jsonify
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from models.store import StoreError
from services import sentry

log = structlog.get_logger()

RETRY_SECONDS = 5  # what we ask a client to wait while the store is away


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(StoreError, _store_away)
    app.register_error_handler(Exception, _unexpected)


def describe(error: ValidationError) -> str:
    """Each wrong field by its wire name and what is wrong with it; never its value."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'body'}: {p['msg']}" for p in problems)


def answer(status: int, message: str) -> tuple[Response, int]:
    return jsonify(success=False, message=message), status


def _http(error: HTTPException) -> tuple[Response, int]:
    return answer(error.code or 500, error.description or error.name)


def _invalid(error: ValidationError) -> tuple[Response, int]:
    return answer(422, describe(error))


def _store_away(error: Exception) -> tuple[Response, int]:
    log.error("❌ the document store is away", error=type(error).__name__)
    response, status = answer(503, "the document store is away; try again")
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response, status


def _unexpected(error: Exception) -> tuple[Response, int]:
    log.exception("❌ unexpected error", error=type(error).__name__)
    sentry.capture(error)
    return answer(500, "unexpected error; it has been recorded")
