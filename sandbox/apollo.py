"""A stand-in of Apollo.io: takes bulk matches on a real socket, and checks them against the vendor's schema.

It counts credits, says in headers how many requests are left, and fails as it is told to.
https://docs.apollo.io/reference/bulk-people-enrichment
"""

from __future__ import annotations

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


class ApolloServer:
    """Start it with `with ApolloServer() as apollo`; point APOLLO_URL at `apollo.url`."""

    def __init__(self, port: int = 0, requests_a_minute: int = 200) -> None:
        self.people: dict[str, dict[str, Any]] = {}  # by the address that is asked for
        self.failures: deque[tuple[int, dict[str, str]]] = deque()  # status and headers of the next answers
        self.requests: list[BulkMatch] = []
        self.refused: list[str] = []  # why requests did not fit the schema
        self.credits = 0  # consumed
        self.requests_left = requests_a_minute
        self._limit = requests_a_minute
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> ApolloServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/v1"

    def add(self, email: str, *, is_locked: bool = False, **fields: Any) -> None:
        """Let it know a person; `fields` as Apollo names them."""
        shown = LOCKED if is_locked else email
        self.people[email] = {"id": f"person-{len(self.people)}", "email": shown, **fields}

    def answer(self, path: str, key: str | None, body: bytes) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers of the answer to one request."""
        with self._lock:
            if self.failures:
                status, headers = self.failures.popleft()
                return status, {"error": "as told"}, headers
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

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer, headers = server.answer(self.path, self.headers.get("x-api-key"), body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: what arrived is in `requests`."""

        return Handler
