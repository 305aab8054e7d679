"""How many requests one address may send in a minute."""

from __future__ import annotations

import limits
import pytest
from flask import Flask
from werkzeug.test import TestResponse

import config
from models.visitor_event import VisitorEvent
from queues.connection import redis
from sandbox.process import Server
from tests.web.public.conftest import PAGE, TRACK, Api
from web.public import rate_limit


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Five a minute, so that a test need not send a hundred."""
    fewer = config.settings().model_copy(update={"public_requests_per_minute": 5})
    monkeypatch.setattr(config, "settings", lambda: fewer)
    return 5


def send(api: Api, address: str = "192.0.2.1", **options: object) -> TestResponse:
    return api.track(api.event(), environ_overrides={"REMOTE_ADDR": address}, **options)


def test_the_limit_is_a_hundred_requests_a_minute(api: Api) -> None:
    assert [api.client.post(TRACK).status_code for _ in range(101)] == [400] * 100 + [429]


def test_one_request_too_many_is_a_429_that_says_when_to_come_back(limit: int, api: Api) -> None:
    for _ in range(limit):
        assert send(api).status_code == 200
    refused = send(api, headers={"Origin": PAGE})

    assert refused.status_code == 429
    assert refused.json["success"] is False
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["Access-Control-Allow-Origin"] == PAGE
    assert refused.headers["Access-Control-Expose-Headers"] == "Retry-After"
    assert VisitorEvent.objects.count() == limit  # what the refused one held is not stored


def test_another_address_has_its_own_limit(limit: int, api: Api) -> None:
    for _ in range(limit + 1):
        send(api)
    assert send(api).status_code == 429
    assert send(api, "192.0.2.2").status_code == 200


def test_preflights_do_not_eat_up_what_a_page_may_send(limit: int, api: Api) -> None:
    remote = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}, "headers": {"Origin": PAGE}}
    statuses = [api.client.options(TRACK, **remote).status_code for _ in range(limit + 1)]
    assert statuses == [204] * limit + [429]
    assert send(api).status_code == 200


def test_all_web_processes_count_together(limit: int, api: Api) -> None:
    from app import create_app

    for _ in range(limit):
        send(api)
    with create_app().test_client() as client:
        assert send(Api(client, api.workspace, api.form)).status_code == 429


def test_the_counts_in_redis_lapse(limit: int, api: Api) -> None:
    send(api)
    keys = redis().keys("clianta:requests:*")
    assert keys
    assert all(0 < redis().ttl(key) <= 120 for key in keys)


def test_other_paths_are_not_limited(limit: int, api: Api) -> None:
    assert {api.client.get("/healthz").status_code for _ in range(limit * 2)} == {200}


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", None, True),
    ],
)
def test_an_ipv6_address_counts_for_its_network(one: str, other: str | None, is_same: bool) -> None:
    assert (rate_limit.counted_as(one) == rate_limit.counted_as(other)) is is_same


def test_without_redis_the_limit_still_holds(limit: int, api: Api, redis_process: Server) -> None:
    redis_process.kill()
    try:
        statuses = [send(api).status_code for _ in range(limit + 1)]
    finally:
        redis_process.start()
    assert statuses == [200] * limit + [429]


def test_a_redis_that_failed_is_tried_again_after_a_pause(clean_redis: None, redis_process: Server) -> None:
    now = [0.0]
    limiter = rate_limit.RateLimiter(limits.RateLimitItemPerMinute(5), clock=lambda: now[0])

    def counts_in_redis() -> bool:
        limiter.hit("192.0.2.1", "request")
        return bool(redis().keys("clianta:requests:*"))

    redis_process.kill()
    try:
        limiter.hit("192.0.2.1", "request")
    finally:
        redis_process.start()
    now[0] = rate_limit.REDIS_PAUSE - 1
    assert not counts_in_redis()
    now[0] = rate_limit.REDIS_PAUSE
    assert counts_in_redis()


def test_the_address_behind_a_trusted_proxy_is_the_clients(
    limit: int, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app import create_app

    behind = config.settings().model_copy(update={"trusted_proxies": 1})
    monkeypatch.setattr(config, "settings", lambda: behind)
    app: Flask = create_app()
    with app.test_client() as client:
        there = Api(client, api.workspace, api.form)
        for number in range(limit + 1):
            assert send(there, headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code == 200
