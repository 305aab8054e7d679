"""A workspace's private API, for its own programs: timelines. Its automations have a package of their own."""

from __future__ import annotations

from flask import Flask

from web.workspaces import timelines


def init_app(app: Flask) -> None:
    app.register_blueprint(timelines.blueprint)
