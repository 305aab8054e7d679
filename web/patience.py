"""How long a request waits for the store, all its questions together.

Its client, or a proxy like Heroku's router, gives a request up after 30 seconds. A thread that waited on
would be lost to the others.
"""

from __future__ import annotations

from flask import Flask, g

from models import store

SECONDS = 25.0


def init_app(app: Flask) -> None:
    """To be called before what asks the store. An answer that comes too late counts as none."""
    app.before_request(_begin)
    app.teardown_request(_end)


def _begin() -> None:
    g.patience = store.within(SECONDS)
    g.patience.__enter__()


def _end(error: BaseException | None) -> None:
    if patience := g.pop("patience", None):
        patience.__exit__(type(error), error, None)
