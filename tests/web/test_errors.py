"""The one shape of error answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, abort, redirect
from flask.testing import FlaskClient
from pydantic import BaseModel, ConfigDict
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from web import errors


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int = 0


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    """Of a small app whose every path fails in its own way."""
    app = Flask("failing")
    errors.init_app(app)

    @app.get("/store")
    def _store() -> None:
        raise AutoReconnect("connection to secret-host lost")

    @app.get("/slow")
    def _slow() -> None:
        raise ExecutionTimeout("secret query", 50)

    @app.get("/refused")
    def _refused() -> None:
        raise OperationFailure("Authentication failed for secret-user", 18)

    @app.get("/bug")
    def _bug() -> None:
        raise RuntimeError("secret detail")

    @app.get("/limit")
    def _limit() -> None:
        raise TooManyRequests("wait", retry_after=7)

    @app.get("/invalid")
    def _invalid() -> None:
        Body.model_validate({"number": "secret", "other": 1})

    @app.get("/moved/")
    def _moved() -> Response:
        return redirect("/store")

    @app.get("/own")
    def _own() -> None:
        abort(Response("mine", status=418))

    with app.test_client() as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/store", 503, "the document store is away; try again"),
        ("/slow", 503, "the document store is away; try again"),
        ("/refused", 500, "unexpected error; it has been recorded"),
        ("/bug", 500, "unexpected error; it has been recorded"),
        ("/limit", 429, "wait"),
        (
            "/invalid",
            422,
            "number: Input should be a valid integer, unable to parse string as an integer; "
            "other: is not a known field",
        ),
    ],
)
def test_an_error_says_what_is_wrong_and_no_secret(
    client: FlaskClient, path: str, status: int, message: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json == {"success": False, "message": message}


@pytest.mark.parametrize(("path", "wait"), [("/store", "5"), ("/limit", "7")])
def test_a_passing_error_says_when_to_come_back(client: FlaskClient, path: str, wait: str) -> None:
    assert client.get(path).headers["Retry-After"] == wait


def test_a_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    answer = client.post("/bug")
    assert (answer.status_code, answer.json["success"]) == (405, False)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_redirects_and_answers_of_their_own_pass(client: FlaskClient) -> None:
    slash = client.get("/moved")
    assert (slash.status_code, slash.headers["Location"]) == (308, "http://localhost/moved/")
    assert client.get("/own").text == "mine"
