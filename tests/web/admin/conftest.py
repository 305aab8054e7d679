"""A browser-like client of the admin pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PAGE = {"Accept": "text/html"}
OURS = {"Sec-Fetch-Site": "same-origin"}


class Visitor:
    """Sends what a browser sends: Accept, Sec-Fetch-Site and the form's token."""

    def __init__(self, client: FlaskClient):
        self.client = client

    def get(self, path: str, **options: object) -> TestResponse:
        return self.client.get(path, headers=PAGE, **options)

    def post(self, path: str, data: dict[str, str] | None = None, **options: object) -> TestResponse:
        return self.client.post(path, data=data, **({"headers": OURS} | options))

    def csrf(self, path: str = "/admin/login") -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found, f"no form at {path}"
        return found[1]

    def log_in(self, password: str = "demo-admin", **fields: str) -> TestResponse:
        form = {"user": "admin", "password": password, "csrf": self.csrf()} | fields
        return self.post("/admin/login", form)


@pytest.fixture
def app(stores: None) -> Flask:
    from app import create_app

    return create_app()


@pytest.fixture
def stranger(app: Flask) -> Iterator[Visitor]:
    """Nobody we know."""
    with app.test_client() as client:
        yield Visitor(client)


@pytest.fixture
def admin(stranger: Visitor) -> Visitor:
    """Somebody who has logged in."""
    assert stranger.log_in().status_code == 303
    return stranger
