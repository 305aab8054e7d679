"""rq-dashboard: reads our jobs, and does no harm."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

import config
from queues import dead_letters, keys
from queues.connection import redis
from queues.job import Job
from queues.names import QUEUES
from tests import failing, pickles
from tests.web.admin.conftest import Visitor
from web.admin import dashboard

ROOT = "/admin/queues"
JOBS = f"{ROOT}/0/data/jobs"


def test_the_seven_queues_are_there_from_the_first_second(admin: Visitor) -> None:
    assert admin.get(f"{ROOT}/").status_code == 200
    rows = admin.get(f"{ROOT}/0/data/queues.json").json["queues"]
    assert [row["name"] for row in rows] == list(QUEUES)
    assert redis().scard(keys.ALL_QUEUES) == 7


def test_a_queue_that_is_not_ours_is_shown_too(admin: Visitor) -> None:
    redis().sadd(keys.ALL_QUEUES, "rq:queue:default")
    rows = admin.get(f"{ROOT}/0/data/queues.json").json["queues"]
    assert rows[-1]["name"] == "default"


def test_it_counts_jobs_by_state_in_few_commands(admin: Visitor) -> None:
    failing.bury(failing.enqueue(2))
    failing.enqueue(3, start=10)
    redis().config_resetstat()
    row = admin.get(f"{ROOT}/0/data/queues.json").json["queues"][0]
    calls = redis().info("commandstats")
    assert (row["count"], row["failed_job_registry_count"]) == (3, 2)
    assert row["failed_url"] == f"{ROOT}/0/view/jobs/crm-events/failed/8/dsc/1"
    assert sum(each["calls"] for name, each in calls.items() if name not in ("cmdstat_info",)) <= 55


def test_it_shows_our_json_jobs(admin: Visitor, run_jobs: Callable[[], int]) -> None:
    redis().set(failing.MENDED, 1)
    ids = failing.enqueue(1)
    run_jobs()
    job = admin.get(f"{ROOT}/0/data/job/{ids[0]}.json").json
    assert (job["status"], job["origin"], job["result"]) == ("finished", "crm-events", 0)
    assert job["metadata"] == '{"event_id": "0"}'
    assert admin.get(f"{ROOT}/0/view/job/{ids[0]}").status_code == 200
    listed = admin.get(f"{JOBS}/crm-events/finished/8/dsc/1.json").json["jobs"]
    assert [each["id"] for each in listed] == ids


@pytest.mark.parametrize("registry", ["queued", "failed"])
@pytest.mark.parametrize("order", ["asc", "dsc"])
def test_its_pages_hold_each_job_once(admin: Visitor, registry: str, order: str) -> None:
    ids = failing.enqueue(19)
    if registry == "failed":
        failing.bury(ids)
        for place, job_id in enumerate(ids):
            redis().zincrby(dead_letters.registry_key("crm-events"), place, job_id)
    pages = [admin.get(f"{JOBS}/crm-events/{registry}/8/{order}/{n}.json").json["jobs"] for n in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [8, 8, 3, 0]
    assert [job["id"] for page in pages for job in page] == (ids if order == "asc" else ids[::-1])


def test_it_requeues_one_job_with_its_retries_and_without_a_pickle(
    admin: Visitor, run_jobs: Callable[[], int]
) -> None:
    ids = failing.enqueue(2)
    run_jobs()
    assert admin.post(f"{ROOT}/job/{ids[0]}/requeue").json == {"status": "OK"}
    assert Job.fetch(ids[0], connection=redis()).retries_left == 3
    assert pickles.found() == []
    assert admin.post(f"{ROOT}/job/{ids[0]}/requeue").status_code == 404
    redis().set(failing.MENDED, 1)
    run_jobs()
    assert Job.fetch(ids[0], connection=redis()).return_value() == 0


def test_it_requeues_all_of_a_queue_by_post_only(admin: Visitor) -> None:
    failing.bury(failing.enqueue(700))
    assert admin.get(f"{ROOT}/requeue/crm-events").status_code == 405
    assert dead_letters.count() == 700
    assert admin.post(f"{ROOT}/requeue/crm-events").json == {"status": "OK", "count": 700}
    assert dead_letters.count() == 0
    assert pickles.found() == []


@pytest.mark.parametrize(
    "path", ["requeue/crm-events", "job/x/requeue", "job/x/delete", "queue/crm-events/failed/empty"]
)
def test_another_site_changes_nothing(admin: Visitor, path: str) -> None:
    failing.bury(failing.enqueue(1))
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}, {}):
        assert admin.post(f"{ROOT}/{path}", headers=headers).status_code == 403
    assert dead_letters.count() == 1


def test_it_empties_and_deletes(admin: Visitor) -> None:
    failing.bury(failing.enqueue(3))
    waiting = failing.enqueue(2, queue="analytics")
    assert admin.post(f"{ROOT}/queue/crm-events/failed/empty").json == {"status": "OK", "count": 3}
    assert admin.post(f"{ROOT}/job/{waiting[0]}/delete").json == {"status": "OK"}
    assert redis().lrange(keys.queue_key("analytics"), 0, -1) == [waiting[1].encode()]
    assert admin.post(f"{ROOT}/queue/analytics/queued/empty").json == {"status": "OK", "count": 1}
    assert redis().llen(keys.queue_key("analytics")) == 0


def test_compacting_takes_out_only_ids_without_a_job(admin: Visitor) -> None:
    assert admin.post(f"{ROOT}/queue/crm-events/compact").json == {"status": "OK"}  # an empty queue
    ids = failing.enqueue(3)
    redis().delete(Job.key_for(ids[1]))
    assert admin.post(f"{ROOT}/queue/crm-events/compact").json == {"status": "OK"}
    assert redis().lrange(keys.queue_key("crm-events"), 0, -1) == [ids[0].encode(), ids[2].encode()]


@pytest.mark.parametrize(
    "path",
    [
        "0/view/job/no-such-job",
        "0/data/job/no-such-job.json",
        "0/data/jobs/crm-events/ready/8/asc/1.json",
        "0/data/jobs/crm-events/rate_limited/8/asc/1.json",
        "0/data/jobs/crm-events/failed/many/asc/1.json",
        "0/data/jobs/crm-events/failed/0/asc/1.json",
        "0/data/jobs/crm-events/failed/100000/asc/1.json",
        "0/data/jobs/crm-events/failed/8/up/1.json",
        "0/data/jobs/crm-events/failed/8/asc/-1.json",
        "0/data/jobs/crm-events/failed/8/asc/99999999999999999999.json",
        "0/view/jobs/crm-events/failed/8/asc/99999999999999999999",
        "1/view/queues",
        "99/data/queues.json",
    ],
)
def test_what_does_not_exist_is_not_found(admin: Visitor, path: str) -> None:
    assert admin.get(f"{ROOT}/{path}").status_code == 404
    assert admin.client.get(f"{ROOT}/{path}").json["success"] is False


def test_the_jobs_tab_opens_a_queue_of_ours(admin: Visitor) -> None:
    assert admin.get(f"{ROOT}/0/view/jobs").location == f"{ROOT}/0/view/jobs/crm-events/queued/8/dsc/1"


def test_what_a_job_says_is_text_on_its_page(admin: Visitor) -> None:
    ids = failing.enqueue(1)
    failing.bury(ids, "ValueError: <img src=x onerror=alert(1)>")
    assert "&lt;img" in admin.get(f"{ROOT}/0/data/job/{ids[0]}.json").json["exc_info"]


class Bomb:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


def test_a_pickle_in_redis_is_never_read(admin: Visitor, tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    bomb = pickle.dumps(Bomb(mark))
    ids = failing.enqueue(2)
    failing.bury(ids[:1])
    for job_id in ids:
        redis().hset(Job.key_for(job_id), mapping={"data": bomb, "meta": bomb, "result": bomb})
    redis().sadd("rq:workers", "rq:worker:w")
    redis().hset("rq:worker:w", mapping={"state": "busy", "current_job": ids[1], "queues": "crm-events"})
    lists = [f"0/data/jobs/crm-events/{state}/8/asc/1.json" for state in ("queued", "failed")]
    for path in [*lists, "0/data/workers.json", f"0/view/job/{ids[1]}"]:
        assert admin.get(f"{ROOT}/{path}").status_code == 200
    assert admin.get(f"{ROOT}/0/data/job/{ids[1]}.json").status_code == 500  # what it holds is no JSON
    admin.post(f"{ROOT}/requeue/crm-events")
    admin.post(f"{ROOT}/job/{ids[1]}/delete")
    assert not mark.exists()
    pickle.loads(bomb)  # noqa: S301 - the bomb does work
    assert mark.exists()


def test_the_password_of_redis_is_not_on_its_pages(stores: None, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = SecretStr("rediss://user:top@secret:x@redis.test:6380/3?ssl_cert_reqs=required")
    changed = config.settings().model_copy(update={"redis_url": secret})
    monkeypatch.setattr(config, "settings", lambda: changed)
    assert dashboard.location() == "rediss://redis.test:6380/3"
    from app import create_app

    with create_app().test_client() as client:
        visitor = Visitor(client)
        visitor.log_in()
        page = visitor.get(f"{ROOT}/").text
    assert "rediss://redis.test:6380/3" in page
    assert "secret" not in page


def test_an_open_page_asks_every_fifteen_seconds(admin: Visitor) -> None:
    assert "POLL_INTERVAL = 15000" in admin.get(f"{ROOT}/").text


def test_its_assets_come_from_here(admin: Visitor) -> None:
    page = admin.get(f"{ROOT}/").text
    assert 'src="http' not in page
    assert 'stylesheet" href="http' not in page
    with admin.get(f"{ROOT}/static/css/bootstrap.min.css") as response:
        assert response.status_code == 200
