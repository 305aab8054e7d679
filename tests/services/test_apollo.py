"""Apollo on a real socket: requests fit its schema, and each of its answers is understood."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.apollo import KEY, ApolloServer
from services import apollo
from services.apollo import Query

GRACE = Query("grace@navy.test", "Grace", "Hopper")


@pytest.fixture
def server() -> Iterator[ApolloServer]:
    with ApolloServer() as server:
        yield server
        assert server.refused == []  # every request fitted the vendor's schema


def match(server: ApolloServer, *queries: Query, key: str = KEY) -> apollo.Answer:
    return apollo.match(server.url, key, queries or [GRACE])


def test_a_person_is_read_by_the_names_of_a_contact(server: ApolloServer) -> None:
    server.add(
        GRACE.email,
        first_name="Grace",
        last_name="Hopper",
        title="Rear Admiral",
        country="USA",
        organization={"name": "US Navy", "industry": "defense", "estimated_num_employees": 340000},
        phone_numbers=[{"raw_number": "(202) 555-0100", "sanitized_number": "+12025550100"}],
    )
    answer = match(server)
    (person,) = answer.people
    assert person is not None
    assert person.fields == {
        "first_name": "Grace",
        "last_name": "Hopper",
        "job_title": "Rear Admiral",
        "company": "US Navy",
        "phone": "+12025550100",
    }
    assert person.more == {"country": "USA", "industry": "defense", "employees": 340000}
    assert (answer.credits, answer.requests_left) == (1, 199)


def test_people_come_in_the_order_of_the_queries_with_gaps_for_misses(server: ApolloServer) -> None:
    queries = [Query(f"{name}@navy.test") for name in "abcdefghij"]
    for query in queries[::2]:
        server.add(query.email, first_name=query.email)
    found = match(server, *queries).people
    assert [person and person.fields["first_name"] for person in found] == [
        query.email if number % 2 == 0 else None for number, query in enumerate(queries)
    ]
    assert server.credits == 5


def test_somebody_else_in_the_place_is_a_miss(server: ApolloServer) -> None:
    server.add("ada@navy.test", first_name="Ada")
    server.people[GRACE.email] = server.people["ada@navy.test"]
    assert match(server).people == [None]


@pytest.mark.parametrize(
    ("first", "last", "is_found"),
    [("grace", "HOPPER", True), ("Grace", "Kelly", False), ("Grace", None, False)],
)
def test_behind_a_locked_address_the_name_decides(
    server: ApolloServer, first: str, last: str | None, is_found: bool
) -> None:
    server.add(GRACE.email, is_locked=True, first_name=first, last_name=last)
    (person,) = match(server).people
    assert (person is not None) == is_found
    assert apollo.LOCKED not in str(person)


def test_a_locked_address_without_a_name_to_compare_is_a_miss(server: ApolloServer) -> None:
    server.add(GRACE.email, is_locked=True, first_name="Grace", last_name="Hopper")
    assert match(server, Query(GRACE.email)).people == [None]


@pytest.mark.parametrize("status", [401, 403, 422])
def test_a_refused_key_is_nothing_to_try_again(server: ApolloServer, status: int) -> None:
    server.failures.append((status, {}))
    with pytest.raises(apollo.ApolloKeyRejected, match=str(status)) as refusal:
        match(server)
    assert refusal.value.permanent
    assert KEY not in str(refusal.value)


def test_a_wrong_key_is_refused(server: ApolloServer) -> None:
    with pytest.raises(apollo.ApolloKeyRejected):
        match(server, key="another")


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("0", 1), ("soon", apollo.PAUSE), (None, apollo.PAUSE)]
)
def test_who_is_asked_to_slow_down_knows_for_how_long(
    server: ApolloServer, header: str | None, seconds: float
) -> None:
    server.failures.append((429, {"retry-after": header} if header else {}))
    with pytest.raises(apollo.ApolloBusy) as busy:
        match(server)
    assert busy.value.retry_after == seconds


@pytest.mark.parametrize("status", [400, 302, 500, 502, 503])
def test_other_answers_are_worth_another_try(server: ApolloServer, status: int) -> None:
    server.failures.append((status, {}))
    with pytest.raises(apollo.ApolloError, match=str(status)) as error:
        match(server)
    assert not getattr(error.value, "permanent", False)


def test_an_apollo_that_is_away_is_worth_another_try() -> None:
    with ApolloServer() as server:
        url = server.url
    with pytest.raises(apollo.ApolloError, match="cannot be reached"):
        apollo.match(url, KEY, [GRACE])


def test_an_answer_of_another_shape_names_the_field(server: ApolloServer) -> None:
    server.people[GRACE.email] = {"id": 5}
    with pytest.raises(apollo.ApolloError, match=r"matches\.0\.id"):
        match(server)


@pytest.mark.parametrize("number", [0, 11])
def test_a_call_is_for_one_to_ten_people(number: int) -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        apollo.match("http://127.0.0.1:1", KEY, [GRACE] * number)
