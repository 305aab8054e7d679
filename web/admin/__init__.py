"""The admin pages: login, overview, and rq-dashboard behind the login."""

from __future__ import annotations

from flask import Blueprint, Flask

from web.admin import dashboard, guard, home, login


def init_app(app: Flask) -> None:
    """Register the admin pages. Connects to nothing yet."""
    # Only these pages have a session, so no other request carries its cookie.
    app.config.update(
        SESSION_COOKIE_NAME="clianta_admin", SESSION_COOKIE_PATH="/admin", SESSION_COOKIE_HTTPONLY=True
    )
    pages = Blueprint("admin", __name__, url_prefix="/admin")
    login.add_to(pages)
    home.add_to(pages)
    app.register_blueprint(pages)
    guard.init_app(app)
    dashboard.init_app(app)
