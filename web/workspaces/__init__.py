"""A workspace's private API, for its own programs: timelines, business profile, what
happened in the CRM.

Its automations have a package of their own.
"""

from __future__ import annotations

from flask import Flask

from web.workspaces import business_profile, events, timelines


def init_app(app: Flask) -> None:
    for part in (timelines, business_profile, events):
        app.register_blueprint(part.blueprint)
