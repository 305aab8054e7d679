"""Allow-lists of origins, and time zones."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from mongoengine import ValidationError

from models.workspace import Workspace, origin_patterns

ALLOWED = ["https://www.acme.test", "http://localhost:*", "https://*.acme.example", "https://[::1]:8443"]
ADMITTED = [
    *("https://www.acme.test", "https://WWW.acme.test", "http://localhost", "http://localhost:3000"),
    *("https://shop.acme.example", "https://a.b.acme.example", "https://[::1]:8443"),
]
FOREIGN = [
    *("http://www.acme.test", "https://www.acme.test:8443", "https://www.acme.test/", "https://acme.example"),
    *(
        "https://localhost:3000",
        "http://localhost:3000.evil.example",
        "http://localhost:*",
        "http://localhost:",
    ),
    *(
        "https://*.acme.example",
        "https://evilacme.example",
        "https://shop.acme.example:8443",
        "null",
        "",
        "*",
    ),
    *(
        "https://www.acme.test\n",
        "https://www.acme.test#",
        "https://a@www.acme.test",
        "https://" + "a." * 500,
    ),
]


@pytest.mark.parametrize(
    ("origin", "is_allowed"), [(o, True) for o in ADMITTED] + [(o, False) for o in FOREIGN]
)
def test_one_workspace_and_the_index_over_all_agree(clean_store: None, origin: str, is_allowed: bool) -> None:
    workspace = Workspace(name="Acme", allowed_origins=ALLOWED).save()
    assert workspace.allows_origin(origin) is is_allowed
    assert Workspace.any_allows(origin) is is_allowed


def test_an_allow_list_is_stored_as_browsers_write_origins(clean_store: None) -> None:
    workspace = Workspace(name="Acme", allowed_origins=[" https://WWW.Acme.test/ "]).save()
    assert workspace.allowed_origins == ["https://www.acme.test"]


def test_all_that_would_admit_an_origin_is_spelt_out() -> None:
    assert origin_patterns("https://a.b.test:81") == [
        *("https://a.b.test:81", "https://a.b.test:*"),
        *("https://*.b.test:81", "https://*.b.test:*"),
        *("https://*.test:81", "https://*.test:*"),
    ]


def test_a_time_zone_that_there_is_none_of_is_refused(clean_store: None) -> None:
    with pytest.raises(ValidationError, match="time_zone: 'Europe/Bonn' is none"):
        Workspace(name="Acme", time_zone="Europe/Bonn").save()


def test_zones_are_those_of_workspaces_that_have_one(clean_store: None) -> None:
    berlin, _ = Workspace(name="A", time_zone="Europe/Berlin").save(), Workspace(name="B").save()
    Workspace._get_collection().insert_one({"name": "C", "time_zone": "Europe/Bonn"})  # by another program
    assert Workspace.zones() == {berlin.id: ZoneInfo("Europe/Berlin")}
