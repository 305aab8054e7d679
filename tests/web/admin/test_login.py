"""The login, and that nothing is reached without it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from pydantic import SecretStr

import config
from queues.connection import redis
from tests.web.admin.conftest import OURS, Visitor
from web.admin import attempts

OPEN = {("/admin/login", "GET"), ("/admin/login", "POST")}
EXAMPLES = {
    "instance_number": "0",
    "queue_name": "crm-events",
    "registry_name": "failed",
    "job_id": "x",
    "per_page": "8",
    "order": "asc",
    "page": "1",
    "filename": "css/main.css",
}


def admin_addresses(app: Flask) -> list[tuple[str, str]]:
    """Every address under /admin with every method that it takes."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin"):
            path = app.url_map.bind("localhost").build(
                rule.endpoint, {name: EXAMPLES[name] for name in rule.arguments if name in EXAMPLES}
            )
            found += [(path, method) for method in rule.methods or ()]
    return found


def test_no_address_under_admin_is_reached_without_a_login(app: Flask, stranger: Visitor) -> None:
    addresses = admin_addresses(app)
    assert len(addresses) > 40
    for path, method in addresses:
        if (path, method) in OPEN or method in ("HEAD", "OPTIONS"):
            continue
        # Two addresses of rq-dashboard are the long form of another one, and only lead there.
        response = stranger.client.open(path, method=method, headers=OURS, follow_redirects=True)
        assert response.status_code == 401, f"{method} {path} answered {response.status_code}"
        assert response.json == {"success": False, "message": "log in at /admin/login"}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_nor_with_another_method(stranger: Visitor, method: str) -> None:
    for path in ("/admin", "/admin/queues/", "/admin/queues/requeue/crm-events"):
        assert stranger.client.open(path, method=method).status_code == 401


def test_a_page_sends_a_stranger_to_the_login_and_then_back(stranger: Visitor) -> None:
    target = "/admin/queues/0/view/jobs/crm-events/failed/8/dsc/1"
    response = stranger.get(target)
    assert response.status_code == 302
    assert response.location == f"/admin/login?next={target}"
    assert stranger.log_in(next=target).location == target


def test_the_right_name_and_password_log_in(stranger: Visitor) -> None:
    response = stranger.log_in()
    assert (response.status_code, response.location) == (303, "/admin")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/admin" in cookie
    assert stranger.get("/admin").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [{"password": "wrong"}, {"user": "root"}, {"password": ""}, {"user": "ädmin", "password": "pässword"}],
)
def test_anything_else_does_not(stranger: Visitor, fields: dict[str, str]) -> None:
    response = stranger.log_in(**fields)
    assert response.status_code == 401
    assert "not the right name and password" in response.text
    assert stranger.get("/admin").status_code == 302


def test_a_login_without_the_forms_token_is_refused(stranger: Visitor) -> None:
    assert stranger.log_in(csrf="forged").status_code == 400
    assert stranger.log_in(csrf="").status_code == 400
    assert stranger.get("/admin").status_code == 302


def test_a_login_starts_a_new_session(stranger: Visitor) -> None:
    """A token or cookie that somebody planted before the login is worth nothing after it."""
    planted = stranger.csrf()
    stranger.log_in()
    with stranger.client.session_transaction(path="/admin") as session:
        assert session.get("csrf") != planted


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/",
        "//evil.test/admin",
        "/\\evil.test",
        "/admin\\@evil.test",
        "javascript:alert(1)",
        "/admin/\r\nSet-Cookie: a=b",
        "/api/public",
        "/administrator",
        "/admin@evil.test",
        "",
    ],
)
def test_a_login_leads_nowhere_else(stranger: Visitor, target: str) -> None:
    assert stranger.log_in(next=target).location == "/admin"


def test_a_session_ends_after_twelve_hours_however_busy(stranger: Visitor) -> None:
    start = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        stranger.log_in()
        clock.move_to(start + timedelta(hours=11, minutes=59))
        assert stranger.get("/admin").status_code == 200
        clock.move_to(start + timedelta(hours=12))
        assert stranger.get("/admin").status_code == 302


def test_a_new_password_ends_every_session(admin: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = config.settings().model_copy(update={"admin_password": SecretStr("another one")})
    monkeypatch.setattr(config, "settings", lambda: changed)
    assert admin.get("/admin").status_code == 302


def test_logging_out_ends_the_session(admin: Visitor) -> None:
    assert admin.post("/admin/logout").location == "/admin/login"
    assert admin.get("/admin").status_code == 302


def test_logging_out_takes_a_post(admin: Visitor) -> None:
    assert admin.get("/admin/logout").status_code == 405
    assert admin.get("/admin").status_code == 200


def test_after_ten_tries_in_a_minute_not_even_the_right_password_is_looked_at(stranger: Visitor) -> None:
    for _ in range(attempts.PER_MINUTE):
        assert stranger.log_in(password="wrong").status_code == 401
    response = stranger.log_in()
    assert (response.status_code, response.headers["Retry-After"]) == (429, "60")
    other = stranger.client.post(
        "/admin/login",
        data={"user": "admin", "password": "demo-admin", "csrf": stranger.csrf()},
        headers=OURS,
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    assert other.status_code == 303  # another address is another person


def test_a_network_of_ipv6_addresses_is_one_guesser(stranger: Visitor) -> None:
    def log_in(address: str) -> int:
        form = {"user": "admin", "password": "wrong", "csrf": stranger.csrf()}
        return stranger.post("/admin/login", form, environ_base={"REMOTE_ADDR": address}).status_code

    tries = [log_in(f"2001:db8:1:2::{number:x}") for number in range(1, attempts.PER_MINUTE + 2)]
    assert tries == [401] * attempts.PER_MINUTE + [429]
    assert log_in("2001:db8:1:3::1") == 401


def test_the_tries_are_counted_for_all_web_processes(stranger: Visitor) -> None:
    stranger.log_in(password="wrong")
    assert [key for key in redis().keys("*admin-login*") if b"127.0.0.1" in key]


def test_the_password_is_neither_in_the_cookie_nor_on_a_page(stranger: Visitor) -> None:
    response = stranger.log_in()
    assert "demo-admin" not in response.headers["Set-Cookie"]
    assert "demo-admin" not in stranger.get("/admin").text


@pytest.mark.parametrize("path", ["/admin/login", "/admin", "/admin/queues/"])
def test_every_page_has_its_security_headers(admin: Visitor, path: str) -> None:
    headers = admin.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self' 'nonce-" in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_our_own_pages_hold_no_inline_script(admin: Visitor) -> None:
    for path in ("/admin", "/admin/login"):
        assert "<script" not in admin.get(path).text
