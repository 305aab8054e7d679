"""Redis or the store away: an accepted event is kept, and what cannot be kept is not accepted."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest

import config
from models import store
from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.visitor_event import VisitorEvent
from publishers import relay
from sandbox.process import Server
from tests.publishers.ageing import make_due
from tests.web.public.conftest import PAGE, TRACK, Api
from tests.web.public.test_forms import FIELDS


def test_without_redis_everything_is_accepted_and_the_relay_enqueues_it_later(
    no_redis: Server, api: Api, run_jobs: Callable[[], int]
) -> None:
    tracked = api.track(api.event(), settle=False)
    received = [tracked, api.identify(), api.contact("ada@navy.test"), api.submit(FIELDS)]
    assert [answer.status_code for answer in received] == [200] * 4
    kinds = [
        *("contact.created", "contact.created", "contact.updated"),
        *("form.submitted", "visits.tracked"),
    ]
    assert sorted(record.type for record in EventRecord.objects) == kinds
    assert {record.status for record in EventRecord.objects} == {"pending"}
    assert relay.relay() == 0

    no_redis.start()
    make_due()
    assert relay.relay() == 5
    run_jobs()
    assert {record.status for record in EventRecord.objects} == {"done"}
    assert Activity.objects(kind="form_submitted").count() == 1
    assert Activity.objects(kind="page_viewed").count() == 1  # identified while its visit was on its way


def test_without_redis_answers_still_come_fast(no_redis: Server, api: Api) -> None:
    started = monotonic()
    for number in range(10):
        assert api.track(api.event(eventName=str(number)), settle=False).status_code == 200
    assert monotonic() - started < 5


def test_without_the_store_every_route_answers_503_with_retry_after(no_store: None, api: Api) -> None:
    tracked = api.track(api.event(), settle=False)
    for answer in (tracked, api.identify(), api.contact(), api.submit(FIELDS)):
        assert answer.status_code == 503
        assert answer.json == {"success": False, "message": "the document store is away; try again"}
        assert int(answer.headers["Retry-After"]) > 0


def test_without_the_store_a_page_can_read_that_and_bad_input_is_still_a_4xx(
    no_store: None, api: Api
) -> None:
    away = api.track(api.event(), settle=False, headers={"Origin": PAGE})
    assert (away.status_code, away.headers["Access-Control-Allow-Origin"]) == (503, PAGE)
    bad = api.client.post(TRACK, data="{", content_type="application/json", headers={"Origin": PAGE})
    assert bad.status_code == 400
    preflight = api.client.options(TRACK, headers={"Origin": PAGE})
    assert preflight.status_code == 503


def test_what_was_refused_for_want_of_the_store_left_nothing_behind(
    api: Api, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("no_store")
    assert api.contact().status_code == 503
    store.disconnect()
    store.connect(config.settings().mongodb_uri.get_secret_value())
    assert Contact.objects.count() == EventRecord.objects.count() == VisitorEvent.objects.count() == 0
    assert api.contact().json["data"]["isNew"] is True
