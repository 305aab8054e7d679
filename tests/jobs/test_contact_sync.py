"""Contacts are enriched once in 30 days, within the credits, and never against what a person typed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

import config
from jobs import contact_sync
from models import contact_enrichment, store
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.credit_use import CreditUse
from models.event import EventRecord
from models.notification import Notification
from queues.connection import redis
from queues.job import Job
from sandbox.apollo import KEY, ApolloServer
from sandbox.process import free_port
from services import apollo

DAY, MS = timedelta(days=1), timedelta(milliseconds=1)
WORKSPACE = ObjectId()
pytestmark = pytest.mark.usefixtures("stores")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApolloServer]:
    with ApolloServer() as server:
        monkeypatch.setenv("APOLLO_URL", server.url)
        monkeypatch.setenv("APOLLO_API_KEY", KEY)
        config.settings.cache_clear()
        yield server
        assert server.refused == []
    monkeypatch.undo()
    config.settings.cache_clear()


def contact(name: str = "grace", workspace: ObjectId = WORKSPACE, **fields: Any) -> Contact:
    made = Contact.upsert(workspace, f"{name}@navy.test", {})[0]
    if fields:
        Contact.objects(id=made.id).update(**{f"set__{field}": value for field, value in fields.items()})
    return Contact.objects.get(id=made.id)


def sync(*contacts: Contact, tick: datetime | None = None) -> dict[str, Any]:
    ids = [str(each.id) for each in contacts]
    return contact_sync.sync(str(contacts[0].workspace_id), ids, (tick or store.now()).isoformat())


def planned() -> list[dict[str, Any]]:
    """The arguments of the jobs that wait, which are taken off the queue."""
    ids = [key.decode() for key in redis().lrange("rq:queue:integrations", 0, -1)]
    redis().delete("rq:queue:integrations")
    return [job.kwargs for job in Job.fetch_many(ids, redis()) if job]


def updates() -> list[tuple[str, list[str]]]:
    found = EventRecord.objects(type="contact.updated").order_by("position")
    return [(each.payload["contactId"], each.payload["changed"]) for each in found]


def used(workspace: ObjectId = WORKSPACE) -> int:
    return sum(row.reserved for row in CreditUse.objects if str(workspace) in row.id)


def test_what_is_found_fills_the_contact_and_is_told_of_once(server: ApolloServer) -> None:
    server.add("grace@navy.test", first_name="Grace", title="Rear Admiral", country="USA")
    made = contact()
    for _ in range(2):
        sync(made)
    made.reload()
    assert (made.first_name, made.job_title, made.company) == ("Grace", "Rear Admiral", None)
    assert made.enriched_at is not None
    assert (made.enrichment.service, made.enrichment.more) == ("apollo", {"country": "USA"})
    assert updates() == [(str(made.id), ["firstName", "jobTitle"])]
    assert (len(server.requests), server.credits, used()) == (1, 1, 1)


def test_what_changed_scores_the_contact_anew(server: ApolloServer, run_jobs: Callable[[], int]) -> None:
    server.add("grace@navy.test", first_name="Grace", last_name="Hopper", title="CTO")
    made = contact()
    sync(made)
    run_jobs()
    made.reload()
    assert "+25 decision maker" in made.lead_score_reasons


@pytest.mark.parametrize(
    ("age", "is_due"),
    [(None, True), (30 * DAY + MS, True), (30 * DAY, False), (30 * DAY - MS, False), (-DAY, False)],
    ids=["never", "a millisecond more than 30 days", "30 days", "a millisecond less", "clock went back"],
)
def test_a_contact_is_due_after_thirty_days(
    server: ApolloServer, age: timedelta | None, is_due: bool
) -> None:
    tick = store.now()
    made = contact(**({} if age is None else {"enriched_at": tick - age}))
    contact_sync.run(tick.isoformat())
    assert [job["contact_ids"] for job in planned()] == ([[str(made.id)]] if is_due else [])
    sync(made, tick=tick)
    assert len(server.requests) == is_due


def test_a_miss_counts_as_enriched_and_costs_nothing(server: ApolloServer) -> None:
    made = contact(first_name="Grace")
    sync(made)
    made.reload()
    assert made.first_name == "Grace"
    assert made.enriched_at is not None
    assert (updates(), used()) == ([], 0)


def test_what_a_person_typed_wins_now_and_later(server: ApolloServer) -> None:
    server.add("grace@navy.test", first_name="Grace", title="Captain", organization={"name": "US Navy"})
    made = contact(company="Vassar College")
    sync(made)
    Contact.objects(id=made.id).update(set__first_name="Gracie")
    server.people["grace@navy.test"] |= {"title": "Rear Admiral", "first_name": "Grace B."}
    sync(made, tick=store.now() + 31 * DAY)
    made.reload()
    assert (made.company, made.first_name, made.job_title) == ("Vassar College", "Gracie", "Rear Admiral")


def test_what_a_person_types_while_apollo_answers_wins(
    server: ApolloServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("grace@navy.test", first_name="Grace")
    made, original = contact(), apollo.match

    def match(*args: Any) -> apollo.Answer:
        Contact.objects(id=made.id).update(set__first_name="Gracie")
        return original(*args)

    monkeypatch.setattr(apollo, "match", match)
    sync(made)
    made.reload()
    assert (made.first_name, made.enriched_at, updates()) == ("Gracie", None, [])


def test_the_placeholder_of_a_locked_address_is_never_stored(server: ApolloServer) -> None:
    server.add("grace@navy.test", is_locked=True, first_name="Grace", last_name="Hopper", title="CTO")
    made = contact(first_name="Grace", last_name="Hopper")
    sync(made)
    made.reload()
    assert (made.email, made.job_title) == ("grace@navy.test", "CTO")
    assert apollo.LOCKED not in str(Contact._get_collection().find_one({"_id": made.id}))


def test_ten_contacts_are_one_call(server: ApolloServer) -> None:
    made = [contact(f"c{number}") for number in range(23)]
    assert sync(*made)["asked"] == 23
    assert [len(request.details) for request in server.requests] == [10, 10, 3]


@pytest.mark.parametrize("rules", [{"monthlyCredits": "none"}, {"monthlyCredits": 0, "credits": 5}, None])
def test_with_invalid_rules_nothing_is_spent_until_they_are_right(server: ApolloServer, rules: Any) -> None:
    BusinessProfile._get_collection().insert_one({"_id": WORKSPACE, "rules": {"enrichment": rules}})
    made = contact()
    for _ in range(2):
        assert sync(made)["outcome"] == "rules invalid"
    assert (server.requests, used()) == ([], 0)
    assert Notification.objects.get().message.startswith(contact_sync.HELD)
    BusinessProfile.put(WORKSPACE, {})
    assert sync(made)["asked"] == 1


def test_no_more_credits_are_spent_than_there_are(server: ApolloServer) -> None:
    BusinessProfile(id=WORKSPACE, rules={"enrichment": {"monthlyCredits": 15}}).save()
    made = [contact(f"c{number}") for number in range(30)]
    for each in made:
        server.add(each.email, first_name="C")
    assert sync(*made)["outcome"] == "no credits"
    assert (server.credits, used()) == (10, 10)


def test_two_at_once_never_spend_the_same_credit(server: ApolloServer) -> None:
    at, won = store.now(), []

    def reserve() -> None:
        won.extend(CreditUse.reserve("apollo", WORKSPACE, at, 3, 30) for _ in range(10))

    threads = [threading.Thread(target=reserve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (sum(won), used()) == (10, 30)
    assert CreditUse.reserve("apollo", WORKSPACE, at + 31 * DAY, 30, 30)
    assert CreditUse.reserve("apollo", ObjectId(), at, 30, 30)


@pytest.mark.parametrize("status", [401, 403, 422])
def test_a_refused_key_stops_the_job_and_is_told_of_once(server: ApolloServer, status: int) -> None:
    made = [contact(f"c{number}") for number in range(20)]
    for _ in range(2):
        server.failures.append((status, {}))
        assert sync(*made)["outcome"] == "key rejected"
    notice = Notification.objects.get()
    assert (notice.kind, notice.user_id) == ("enrichment_stopped", None)
    assert KEY not in notice.message + notice.key
    assert (used(), Contact.objects(enriched_at=None).count()) == (0, 20)


@pytest.mark.parametrize(("status", "spent"), [(429, 0), (500, 1)])
def test_other_failures_are_tried_again(server: ApolloServer, status: int, spent: int) -> None:
    server.add("grace@navy.test", first_name="Grace")
    made = contact()
    server.failures.append((status, {}))
    with pytest.raises(apollo.ApolloError):
        sync(made)
    assert used() == spent  # nobody knows whether a call that failed was charged
    assert sync(made)["found"] == 1


def test_a_service_that_cannot_be_reached_costs_nothing(
    server: ApolloServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APOLLO_URL", f"http://127.0.0.1:{free_port()}")
    config.settings.cache_clear()
    with pytest.raises(apollo.ApolloUnreachable, match="cannot be reached"):
        sync(contact())
    assert used() == 0


def test_who_has_no_request_left_waits_before_asking_again(server: ApolloServer) -> None:
    made = [contact(f"c{number}") for number in range(20)]
    server.requests_left = 1
    with pytest.raises(apollo.ApolloBusy):
        sync(*made)
    assert (len(server.requests), Contact.objects(enriched_at=None).count()) == (1, 10)
    server.requests_left = 5
    assert sync(*made)["asked"] == 10


@pytest.mark.parametrize("step", ["store", "announced"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_leaves_what_a_second_run_completes(
    server: ApolloServer, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    server.add("grace@navy.test", first_name="Grace")
    made, original = contact(), getattr(contact_enrichment, step)

    def dying(*args: Any) -> Any:
        if when == "after" and args[0]:
            original(*args)
        if args[0]:
            raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(contact_enrichment, step, dying)
        with pytest.raises(ConnectionError):
            sync(made)
    sync(made)
    made.reload()
    assert (made.first_name, made.enrichment.unannounced) == ("Grace", [])
    assert {changed[0] for _, changed in updates()} == {"firstName"}


def test_contacts_of_another_workspace_are_left_alone(server: ApolloServer) -> None:
    stranger = contact("ada", workspace=ObjectId())
    contact_sync.sync(str(WORKSPACE), [str(stranger.id)], store.now().isoformat())
    assert server.requests == []


def test_without_a_key_nothing_is_planned() -> None:
    contact()
    assert contact_sync.run(store.now().isoformat()) == 0
    assert planned() == []


def test_all_workspaces_are_planned_with_one_query(
    server: ApolloServer,
    monkeypatch: pytest.MonkeyPatch,
    count_store_commands: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    monkeypatch.setattr(contact_sync, "JOB", 2)
    monkeypatch.setattr(contact_sync, "A_DAY", 5)
    workspaces = [ObjectId() for _ in range(3)]
    for place, workspace in enumerate(workspaces):
        for number in range(3 * place + 1):
            contact(f"c{number}", workspace)
    with count_store_commands() as commands:
        assert contact_sync.run(store.now().isoformat()) == 1 + 2 + 3
    assert commands == ["find"]
    jobs = planned()
    assert sorted(len(job["contact_ids"]) for job in jobs) == [1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize("contacts", [2, 10])
def test_a_call_costs_the_same_commands_whatever_it_finds(
    server: ApolloServer,
    count_store_commands: Callable[[], AbstractContextManager[list[str]]],
    contacts: int,
) -> None:
    made = [contact(f"c{number}") for number in range(contacts)]
    for each in made:
        server.add(each.email, first_name="C")
    with count_store_commands() as commands:
        sync(*made)
    assert len(commands) == 2 + 2 + 2 + 2  # contacts, rules; credits; results; events
