"""A stand-in of Apollo.io: takes bulk matches on a real socket, and checks them against the vendor's schema.

It counts credits, says in headers how many requests are left, and fails as it is told to.
https://docs.apollo.io/reference/bulk-people-enrichment
"""

from __future__ import annotations

import threading
from collections import deque
from email.message import Message
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.http_stand_in import Answer, HttpStandIn

PATH = "/api/v1/people/bulk_match"
KEY = "key-of-the-stand-in"
LOCKED = "email_not_unlocked@domain.com"


class Detail(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    domain: str | None = None
    organization_name: str | None = None
    linkedin_url: str | None = None


class BulkMatch(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    details: Annotated[list[Detail], Field(min_length=1, max_length=10)]


class ApolloServer(HttpStandIn):
    """Point APOLLO_URL at its `url`."""

    def __init__(self, port: int = 0, requests_a_minute: int = 200) -> None:
        self.people: dict[str, dict[str, Any]] = {}  # by the address that is asked for
        self.failures: deque[tuple[int, dict[str, str]]] = deque()  # status and headers of the next answers
        self.requests: list[BulkMatch] = []
        self.refused: list[str] = []  # why requests did not fit the schema
        self.credits = 0  # consumed
        self.requests_left = requests_a_minute
        self._limit = requests_a_minute
        self._lock = threading.Lock()
        super().__init__(port)

    @property
    def url(self) -> str:
        return f"http://{self.address}/api/v1"

    def add(self, email: str, *, is_locked: bool = False, **fields: Any) -> None:
        """Let it know a person; `fields` as Apollo names them."""
        shown = LOCKED if is_locked else email
        self.people[email] = {"id": f"person-{len(self.people)}", "email": shown, **fields}

    def answer(self, path: str, headers: Message, body: bytes) -> Answer:
        with self._lock:
            key = headers.get("x-api-key")
            if self.failures:
                status, more = self.failures.popleft()
                return status, {"error": "as told"}, more
            if path != PATH:
                return 404, {"error": "no such path"}, {}
            if key is None:
                return 422, {"error": "the key has to be in the header"}, {}
            if key != KEY:
                return 401, {"error": "invalid key"}, {}
            if self.requests_left <= 0:
                return 429, {"error": "too many requests"}, self._rates() | {"retry-after": "60"}
            self.requests_left -= 1
            try:
                request = BulkMatch.model_validate_json(body)
            except ValidationError as error:
                self.refused.append(str(error))
                return 400, {"error": str(error)}, self._rates()
            self.requests.append(request)
            return 200, self._matches(request), self._rates()

    def _matches(self, request: BulkMatch) -> dict[str, Any]:
        matches = [self.people.get(detail.email or "") for detail in request.details]
        found = sum(match is not None for match in matches)
        self.credits += found
        return {
            "status": "success",
            "total_requested_enrichments": len(matches),
            "unique_enriched_records": found,
            "missing_records": len(matches) - found,
            "credits_consumed": found,
            "matches": matches,
        }

    def _rates(self) -> dict[str, str]:
        return {
            "x-rate-limit-minute": str(self._limit),
            "x-minute-requests-left": str(self.requests_left),
        }
