"""The public tracking API: what browsers and servers of a workspace send us."""

from __future__ import annotations

from flask import Flask

from web.public import access, crm, track


def init_app(app: Flask) -> None:
    """Register the public routes, and what guards them."""
    access.init_app(app)
    app.register_blueprint(track.blueprint)
    app.register_blueprint(crm.blueprint)
