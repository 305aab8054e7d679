"""The public API: what browsers and servers of a workspace send us."""

from __future__ import annotations

from flask import Flask, Response

from models.contact import ContactFull
from web import errors
from web.public import access, activities, contacts, forms, opportunities, track


def init_app(app: Flask) -> None:
    """Register the public routes, and what guards them."""
    access.init_app(app)
    for part in (track, contacts, forms, activities, opportunities):
        app.register_blueprint(part.blueprint)
    app.register_error_handler(ContactFull, _full)


def _full(error: Exception) -> tuple[Response, int]:
    return errors.answer(422, str(error))
