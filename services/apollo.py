"""Apollo.io: who is behind an e-mail address.

https://docs.apollo.io/reference/bulk-people-enrichment
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from urllib3.exceptions import NewConnectionError

MOST = 10  # people per call
TIMEOUT = (5, 30)  # seconds to connect, to answer
LOCKED = "email_not_unlocked@domain.com"  # stands for an address that was not paid for
PAUSE = 60.0  # seconds, where a 429 does not say


class ApolloError(Exception):
    """Apollo did not answer as it should; trying again may help."""


class ApolloUnreachable(ApolloError):
    """No connection came about: nothing was asked."""


class ApolloKeyRejected(ApolloError):
    """The API key is wrong, or may not do this: enter another one (APOLLO_API_KEY)."""

    permanent = True


class ApolloBusy(ApolloError):
    """Too many requests. `retry_after`: seconds."""

    def __init__(self, retry_after: float):
        super().__init__(f"Apollo asks to slow down for {retry_after:.0f} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Query:
    """Whom we ask for."""

    email: str
    first_name: str | None = None
    last_name: str | None = None
    organization_name: str | None = None


@dataclass(frozen=True)
class Found:
    """What Apollo knows of a person; `fields` by the stored names of a contact."""

    id: str
    fields: dict[str, str | None]
    more: dict[str, Any] = field(default_factory=dict)  # what a contact has no field for


@dataclass(frozen=True)
class Answer:
    """`people` in the order of the queries; None: not found, or somebody else."""

    people: list[Found | None]
    credits: int
    requests_left: int | None  # this minute; None: it was not said


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Organization(_Part):
    name: str | None = None
    primary_domain: str | None = None
    industry: str | None = None
    estimated_num_employees: int | None = None


class _Phone(_Part):
    raw_number: str | None = None
    sanitized_number: str | None = None


class _Person(_Part):
    id: str
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    email: str | None = None
    linkedin_url: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    seniority: str | None = None
    organization: _Organization | None = None
    phone_numbers: list[_Phone] | None = None


class _Response(_Part):
    matches: list[_Person | None]
    credits_consumed: int = 0


def match(url: str, key: str, queries: Sequence[Query]) -> Answer:
    """Ask for up to ten people with one call.

    `url`: like https://api.apollo.io/api/v1. Raises `ApolloUnreachable`, `ApolloKeyRejected`, `ApolloBusy` or
    `ApolloError`.
    """
    if not 0 < len(queries) <= MOST:
        raise ValueError(f"one call asks for 1 to {MOST} people, not for {len(queries)}")
    details = [{name: value for name, value in vars(query).items() if value} for query in queries]
    try:
        response = requests.post(
            f"{url.rstrip('/')}/people/bulk_match",
            json={"details": details},
            headers={"x-api-key": key, "accept": "application/json", "cache-control": "no-cache"},
            timeout=TIMEOUT,
            allow_redirects=False,  # the key would travel along
        )
    except requests.RequestException as error:
        kind = ApolloUnreachable if _is_unasked(error) else ApolloError
        raise kind(f"Apollo cannot be reached: {type(error).__name__}") from None
    _check(response)
    return _answer(response, queries)


def _is_unasked(error: requests.RequestException) -> bool:
    """Whether it came before the connection did, not after the request was sent."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _check(response: requests.Response) -> None:
    status = response.status_code
    if status in (401, 403, 422):  # 422: the key is not where it has to be
        raise ApolloKeyRejected(f"Apollo refuses the API key with {status}")
    if status == 429:
        raise ApolloBusy(_seconds(response.headers.get("retry-after")))
    if status != 200:
        raise ApolloError(f"Apollo answers with {status}")


def _seconds(text: str | None) -> float:
    with suppress(ValueError):
        return max(1.0, float(text or ""))
    return PAUSE


def _answer(response: requests.Response, queries: Sequence[Query]) -> Answer:
    try:
        read = _Response.model_validate_json(response.content)
    except ValidationError as error:
        places = {".".join(map(str, each["loc"])) for each in error.errors(include_input=False)}
        raise ApolloError(f"Apollo's answer has another shape: {', '.join(sorted(places))}") from None
    if len(read.matches) != len(queries):
        raise ApolloError(f"Apollo answers {len(read.matches)} matches to {len(queries)} queries")
    people = [_checked(person, query) for person, query in zip(read.matches, queries, strict=True)]
    left = response.headers.get("x-minute-requests-left", "")
    return Answer(people, read.credits_consumed, int(left) if left.isdecimal() else None)


def _checked(person: _Person | None, query: Query) -> Found | None:
    """The person, if it is the one that was asked for: by the address, or by the name where it is locked."""
    if person is None:
        return None
    email = (person.email or "").strip().lower()
    if email and email != LOCKED:
        return _found(person) if email == query.email.lower() else None
    return _found(person) if _has_name(person, query) else None


def _has_name(person: _Person, query: Query) -> bool:
    mine = [query.first_name, query.last_name]
    theirs = [person.first_name, person.last_name]
    return all(a and b and a.casefold() == b.casefold() for a, b in zip(mine, theirs, strict=True))


def _found(person: _Person) -> Found:
    company, phones = person.organization, person.phone_numbers or []
    numbers = [number for phone in phones if (number := phone.sanitized_number or phone.raw_number)]
    fields = {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "job_title": person.title,
        "company": company.name if company else None,
        "phone": numbers[0] if numbers else None,
    }
    more = person.model_dump(include={"linkedin_url", "city", "state", "country", "seniority"})
    if company:
        more |= {
            "industry": company.industry,
            "employees": company.estimated_num_employees,
            "domain": company.primary_domain,
        }
    return Found(person.id, fields, {name: value for name, value in more.items() if value is not None})
