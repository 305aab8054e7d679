"""The web process: `flask run`, `gunicorn app:app`, and the `flask …` commands of the operators."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import config
from models import store
from services import logs, sentry
from web import admin, automations, cli, errors, health, public, request_id, workspaces


def create_app() -> Flask:
    """The Flask app. Connects to nothing yet: Redis and the store may be away when it starts."""
    settings = config.settings()
    logs.configure(settings.log_format, settings.log_level)
    sentry.init(settings.sentry_project, settings.sentry_environment)
    store.connect(settings.mongodb_uri.get_secret_value())
    flask = Flask("app", template_folder="templates", static_folder="static")
    flask.config.update(
        SECRET_KEY=settings.secret("secret_key"),
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=not settings.demo,
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        proxied = ProxyFix(flask.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)
        flask.wsgi_app = proxied  # type: ignore[method-assign]  # Flask's advice for middleware
    for part in (request_id, errors, health, public, workspaces, automations, admin, cli):
        part.init_app(flask)
    return flask


app = create_app()
