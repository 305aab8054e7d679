"""What events that are done handed on, and Redis lost: it is handed on again, and nothing else is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId

from consumers import activity, healing
from consumers.dispatch import ReactionsFailed
from models import store
from models.activity import Activity
from models.contact import Contact
from models.event import EventRecord
from models.redis_sight import RedisSight
from models.trigger import Trigger
from models.trigger_run import TriggerRun
from models.workspace import Workspace
from publishers import events
from queues import keys
from queues.connection import redis
from sandbox.process import Server
from schemas.contact import ContactCreated
from services import lead_score
from tests.automations import automation
from tests.consumers import chaos, happenings
from tests.consumers.chaos import handle_events, heal
from tests.consumers.happenings import World
from tests.consumers.test_exactly_once import SHOWN, in_peace
from tests.killing import Killed

pytestmark = pytest.mark.usefixtures("stores")

Loss = Callable[[], None]


def happen(world: World) -> None:
    """Every event of the catalogue is published and handled; the jobs that they hand on are not run."""
    for place, event in enumerate(world.happenings(SHOWN)):
        events.publish(event)
        if place == SHOWN:
            world.identify()
    handle_events()


def created(workspace: Workspace, contact_id: ObjectId | None = None) -> str:
    ids = {"workspace_id": str(workspace.id), "contact_id": str(contact_id or ObjectId())}
    return events.publish(ContactCreated(**ids, source="api"))


@pytest.fixture
def acme() -> Workspace:
    return Workspace(name="Acme").save()


@pytest.fixture
def losses(redis_process: Server) -> Iterator[dict[str, Loss]]:
    """Ways for Redis to forget what it is told from now on."""

    def die() -> None:
        redis_process.kill()
        redis_process.start()

    yield {"emptied": lambda: redis().flushall(), "killed": die}
    if not redis_process.pid or redis().config_get("appendonly") == {"appendonly": "no"}:
        redis_process.stop()
        redis_process.start()


@pytest.mark.parametrize("loss", ["emptied", "killed"])
def test_every_effect_is_there_once_though_redis_lost_the_jobs_of_all_that_is_done(
    loss: str, losses: dict[str, Loss]
) -> None:
    expected = in_peace(7)
    healing.heal(store.now())
    redis().config_set("appendonly", "no")  # what is written from now on does not outlive a kill
    world = World(7)
    happen(world)
    assert Activity.objects(kind__ne="sequence_paused").count() == TriggerRun.objects.count() == 0
    losses[loss]()
    assert list(redis().scan_iter("rq:job:*")) == []

    assert heal(store.now() + healing.LOOK) > 20
    chaos.settle()
    assert happenings.difference(happenings.effects(), expected) == {}
    assert Activity.objects.count() > 20
    assert TriggerRun.objects.count() > 0


def test_what_took_effect_does_not_do_so_again_though_redis_lost_everything() -> None:
    healing.heal(store.now())
    happen(World(8))
    chaos.settle()
    found = happenings.effects()
    redis().flushall()

    assert heal(store.now() + healing.LOOK) > 20
    assert [job_id for job_id in chaos.open_jobs() if job_id.startswith("automation")] == []
    chaos.settle()
    assert happenings.effects() == found


def test_while_redis_lives_nothing_is_handed_on_and_a_look_costs_three_commands(
    acme: Workspace, count_store_commands: Callable[[], Any]
) -> None:
    at = store.now()
    healing.heal(at)
    created(acme)
    handle_events()
    jobs = chaos.open_jobs()
    for _ in range(3):
        at += healing.LOOK
        before = redis().info("stats")["total_commands_processed"]
        with count_store_commands() as commands:
            assert healing.heal(at) == 0
        assert redis().info("stats")["total_commands_processed"] - before == 3 + 1  # and our own
        assert Counter(commands) == {"update": 2, "find": 2}
        assert redis().get(keys.MARK) == at.isoformat().encode()
    assert chaos.open_jobs() == jobs


def test_between_two_looks_redis_is_left_alone(acme: Workspace) -> None:
    at = store.now()
    healing.heal(at)
    before = redis().info("stats")["total_commands_processed"]
    assert healing.heal(at + healing.LOOK / 2) == 0
    assert redis().info("stats")["total_commands_processed"] - before == 1


def test_only_what_was_done_since_the_mark_that_is_left_is_asked(
    acme: Workspace, redis_process: Server
) -> None:
    early, late = created(acme), created(acme)
    handle_events()
    EventRecord.objects(id=early).update(set__done_at=store.now() - 2 * healing.CLOCKS)
    healing.heal(store.now())
    redis_process.kill()
    redis_process.start()

    assert heal(store.now() + healing.LOOK) == 1
    assert [entry.source.split(":")[1] for entry in Activity.objects] == [late]


def test_a_server_that_does_not_say_who_it_is_shows_by_its_mark_what_it_lost(acme: Workspace) -> None:
    redis().acl_setuser("default", enabled=True, commands=["-info"], keys=["*"])
    try:
        healing.heal(store.now())
        created(acme)
        handle_events()
        assert heal(store.now() + healing.LOOK) == 0
        redis().flushall()
        assert heal(store.now() + 2 * healing.LOOK) == 1
    finally:
        redis().acl_setuser("default", enabled=True, categories=["+@all"], keys=["*"])
    assert Activity.objects.count() == 1


def test_data_of_yesterday_show_how_far_they_go(acme: Workspace) -> None:
    """As after the restore of a backup, or a failover to a replica that was behind."""
    at = store.now()
    healing.heal(at)
    backup = redis().dump(keys.MARK)
    created(acme)
    handle_events()
    healing.heal(at + healing.LOOK)
    redis().flushall()
    redis().restore(keys.MARK, 0, backup)

    assert heal(at + 2 * healing.LOOK) == 1
    assert Activity.objects.count() == 1


def test_it_goes_on_where_it_died(acme: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "BATCH", 3)
    healing.heal(store.now())
    for _ in range(10):
        created(acme)
    handle_events()
    redis().flushall()
    real, calls = activity.record_all, Counter[str]()

    def dying(entries: list[Any]) -> int:
        calls["died"] += 1
        if calls["died"] % 2:
            raise Killed
        return real(entries)

    monkeypatch.setattr(activity, "record_all", dying)
    at = store.now() + healing.LOOK
    for step in range(8):
        with suppress(Killed):
            healing.heal(at + step * timedelta(minutes=1))
    assert calls["died"] == 8  # four pages, each once more
    assert heal(at + timedelta(hours=1)) == 0
    assert Activity.objects.count() == 10


def test_several_at_once_and_a_redis_that_is_lost_again_meanwhile(
    acme: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "BATCH", 2)
    automation(acme, actions=[{"type": "notify", "message": "x"}])
    healing.heal(store.now())
    for _ in range(12):
        created(acme)
    handle_events()
    redis().flushall()
    at = store.now() + healing.LOOK
    healing.heal(at)
    healing.heal(at + timedelta(minutes=2))
    assert Activity.objects.count() == 12
    redis().flushall()  # the planning of the automations, too

    threads = [threading.Thread(target=heal, args=[at + timedelta(minutes=4)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chaos.settle()
    assert Activity.objects.count() == 12
    assert [run.steps[0].status for run in TriggerRun.objects] == ["done"] * 12
    assert RedisSight.current().since is None


def test_an_event_that_is_not_done_yet_hands_on_again_what_it_did(
    acme: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    healing.heal(store.now())

    def fail(**_: Any) -> Any:
        raise ValueError("no score today")

    contact = Contact(workspace_id=acme.id, email="grace@navy.test").save()
    event_id = created(acme, contact.id)
    monkeypatch.setattr(lead_score, "score", fail)
    with pytest.raises(ReactionsFailed):
        chaos.fetch(f"event-{event_id}").perform()
    monkeypatch.undo()
    redis().flushall()

    assert heal(store.now() + healing.LOOK) == 1
    assert EventRecord.objects.get(id=event_id).status != "done"
    assert Activity.objects(kind="contact_created").count() == 1
    chaos.settle()
    assert Activity.objects(kind="contact_created").count() == 1


def test_one_event_that_cannot_be_asked_keeps_no_other_waiting(
    acme: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    healing.heal(store.now())
    bad, unknown, *_ = [created(acme) for _ in range(5)]
    handle_events()
    EventRecord.objects(id=unknown).update(set__version=99)
    redis().flushall()
    real = activity.logged

    def failing(delivery: Any, **fields: Any) -> Any:
        if delivery.event_id == bad:
            raise ValueError("no timeline for this one")
        return real(delivery, **fields)

    monkeypatch.setattr(activity, "logged", failing)
    heal(store.now() + healing.LOOK)
    assert Activity.objects.count() == 3


def test_an_automation_that_is_younger_than_the_loss_runs_for_no_earlier_event(acme: Workspace) -> None:
    """Whether others had something to do then or not."""
    healing.heal(store.now())
    created(acme)
    handle_events()
    old = automation(acme, actions=[{"type": "notify", "message": "x"}])
    created(acme)
    handle_events()
    redis().flushall()
    young = automation(acme, actions=[{"type": "notify", "message": "x"}])
    Trigger.objects(id=young.id).update(set__created_at=store.now() + 2 * healing.CLOCKS)

    heal(store.now() + healing.LOOK)
    chaos.settle()
    assert [run.trigger_id for run in TriggerRun.objects] == [old.id]
    assert Activity.objects.count() == 2


def test_a_proxy_that_shows_now_one_server_now_another_is_no_loss_each_time() -> None:
    RedisSight.claim(store.now(), healing.LOOK)
    for server in ("one", "two", "one", "two"):
        RedisSight.current().saw(store.now(), server, 90)
    assert RedisSight.current().knows("one")
    assert not RedisSight.current().knows("three")
