"""The automations' API for a workspace's own programs: triggers, their run history, dry runs."""

from __future__ import annotations

from flask import Flask

from web.automations import dry_run, runs, triggers, webhook_secret
from web.automations.access import blueprint

__all__ = ["dry_run", "init_app", "runs", "triggers", "webhook_secret"]  # they add the routes


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
