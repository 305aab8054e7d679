"""`flask workspaces …`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.workspace import Member, Workspace
from tests.web.cli.conftest import Flask_

Json = Callable[..., Any]


@pytest.fixture
def acme(stores: None) -> Workspace:
    return Workspace(name="Acme", members=[Member(name="Ada", email="ada@acme.test")]).save()


def test_the_list_tells_members_origins_and_consent(acme: Workspace, flask: Flask_, flask_json: Json) -> None:
    assert flask_json("workspaces", "list") == [
        {
            "id": str(acme.id),
            "name": "Acme",
            "members": 1,
            "needs_consent": False,
            "allowed_origins": [],
            "time_zone": None,
        }
    ]
    assert "not needed" in flask("workspaces", "list").stdout


def test_consent_is_needed_until_somebody_says_otherwise(acme: Workspace, flask_json: Json) -> None:
    assert flask_json("workspaces", "consent", str(acme.id), "--needed")["needs_consent"]
    assert Workspace.objects.get().needs_consent
    assert not flask_json("workspaces", "consent", str(acme.id), "--not-needed")["needs_consent"]
    assert not Workspace.objects.get().needs_consent


@pytest.mark.parametrize(
    ("given", "entry", "page"),
    [
        ("https://WWW.acme.test/", "https://www.acme.test", "https://www.acme.test"),
        ("https://*.acme.test", "https://*.acme.test", "https://shop.acme.test"),
        ("http://localhost:*", "http://localhost:*", "http://localhost:3000"),
    ],
)
def test_pages_of_an_allowed_origin_may_use_the_public_api(
    acme: Workspace, flask_json: Json, given: str, entry: str, page: str
) -> None:
    for _ in range(2):
        assert flask_json("workspaces", "allow", str(acme.id), given)["allowed_origins"] == [entry]
    assert acme.reload().allows_origin(page)
    assert flask_json("workspaces", "forbid", str(acme.id), given)["allowed_origins"] == []
    assert not acme.reload().allows_origin(page)


@pytest.mark.parametrize("bad", ["acme.test", "https://acme.test/shop", "https://*", "*", "https://a.*.test"])
def test_what_is_no_origin_is_refused(acme: Workspace, flask: Flask_, bad: str) -> None:
    result = flask("workspaces", "allow", str(acme.id), bad)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert bad in result.stderr
    assert acme.reload().allowed_origins == []


def test_what_does_not_exist_is_one_line(acme: Workspace, flask: Flask_) -> None:
    nobody = "0" * 24
    for arguments, named in (
        (("consent", nobody, "--needed"), nobody),
        (("allow", nobody, "https://acme.test"), nobody),
        (("forbid", str(acme.id), "https://acme.test"), "https://acme.test is not on the list of Acme"),
    ):
        result = flask("workspaces", *arguments)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert named in result.stderr


def test_daily_jobs_run_where_the_workspace_is(acme: Workspace, flask: Flask_, flask_json: Json) -> None:
    assert flask_json("workspaces", "zone", str(acme.id), "Europe/Berlin")["time_zone"] == "Europe/Berlin"
    assert "Europe/Bonn is no time zone" in flask("workspaces", "zone", str(acme.id), "Europe/Bonn").output
    assert acme.reload().time_zone == "Europe/Berlin"
    assert flask_json("workspaces", "zone", str(acme.id))["time_zone"] is None
