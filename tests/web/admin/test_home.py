"""The overview."""

from __future__ import annotations

import pytest

from queues import dead_letters
from tests import failing
from tests.web.admin.conftest import PAGE, Visitor
from web.admin import home


def test_the_overview_shows_queues_and_dead_letters(admin: Visitor) -> None:
    failing.bury(failing.enqueue(home.SHOWN + 3))
    page = admin.get("/admin").text
    assert page.count("<th scope=") == 7
    assert "ValueError: buried" in page
    assert "3 more: <code>flask dlq list</code>" in page


def test_an_empty_system_is_shown_too(admin: Visitor) -> None:
    page = admin.get("/admin").text
    assert "nothing failed" in page
    assert "python worker.py" in page


def test_a_dead_letter_is_requeued_from_the_overview(admin: Visitor) -> None:
    ids = failing.enqueue(1)
    failing.bury(ids)
    response = admin.post(f"/admin/dead-letters/{ids[0]}/requeue", {"csrf": admin.csrf("/admin")})
    assert (response.status_code, response.location) == (303, "/admin")
    assert dead_letters.count() == 0
    assert "is back on its queue" in admin.get("/admin").text


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "https://evil.test"}, True),
        ({"Origin": "null"}, True),
        ({"Referer": "https://localhost.evil.test/"}, True),
        ({"Origin": "http://localhost"}, False),
    ],
)
def test_another_site_cannot_requeue(admin: Visitor, headers: dict[str, str], csrf: bool) -> None:
    ids = failing.enqueue(1)
    failing.bury(ids)
    token = admin.csrf("/admin") if csrf else "forged"
    path = f"/admin/dead-letters/{ids[0]}/requeue"
    assert admin.post(path, {"csrf": token}, headers=headers).status_code == 403
    assert dead_letters.count() == 1


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost"}, {"Referer": "http://localhost/admin"}])
def test_a_browser_without_fetch_metadata_is_known_by_origin_or_referer(
    admin: Visitor, headers: dict[str, str]
) -> None:
    ids = failing.enqueue(1)
    failing.bury(ids)
    token = admin.csrf("/admin")
    admin.post(f"/admin/dead-letters/{ids[0]}/requeue", {"csrf": token}, headers=headers)
    assert dead_letters.count() == 0


def test_what_an_exception_says_is_text_on_the_page(admin: Visitor) -> None:
    ids = failing.enqueue(1)
    failing.bury(ids, "ValueError: <script>alert(1)</script>")
    page = admin.client.get("/admin", headers=PAGE).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
