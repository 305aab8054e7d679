"""Tell a URL that a job has ended: a signed POST, of which the receiver can check that we sent it.

    X-Clianta-Signature: t=<Unix time>,v1=<hex HMAC-SHA256 of "<Unix time>.<body>" with WEBHOOK_SECRET>
    X-Clianta-Delivery:  the same for each try of a delivery, so that the receiver can drop a second one

Delivered at least once. Only to public addresses, unless WEBHOOK_ALLOW_PRIVATE, on every redirect too.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import config
from services import public_address

CONNECT_TIMEOUT = 5.0  # seconds, per address
DEADLINE = 15.0  # seconds to connect, and again for the request and its answer, however slowly they trickle
MOST_REDIRECTS = 3
ANSWER_READ = 4_096  # bytes of the answer's body that are read; nothing is done with them
LONGEST_RETRY_AFTER = 3_600.0  # seconds
REDIRECTS = (307, 308)  # those that keep a POST a POST
TRY_AGAIN = (408, 425, 429)  # client errors that pass; RFC 9110, 8470, 6585


class WebhookRefused(Exception):
    """The receiver or its URL is wrong; whoever set the webhook must act."""

    permanent = True


class WebhookUnavailable(Exception):
    """The receiver cannot be reached, or not now."""

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after  # seconds


def deliver(
    url: str,
    delivery: str,
    job_id: str,
    queue: str,
    status: str,
    ended_at: str,
    result: str | None = None,
    result_omitted: bool = False,
) -> int:
    """POST how a job ended; returns the status of the answer, 2xx. `result` is base64 of its JSON.

    The body: {jobId, queue, status: finished | failed, endedAt, result?, resultOmitted?: true if too large}.
    Raises `WebhookRefused`, `PrivateAddress`, `WebhookUnavailable`.
    """
    payload: dict[str, Any] = {"jobId": job_id, "queue": queue, "status": status, "endedAt": ended_at}
    if result is not None:
        payload["result"] = json.loads(b64decode(result))
    if result_omitted:
        payload["resultOmitted"] = True
    return send(url, json.dumps(payload).encode(), delivery)


def check(url: str) -> None:
    """Raise `WebhookRefused` or `PrivateAddress` for a URL that can never be sent to. Looks up no name."""
    host = str(_target(url).hostname)
    with suppress(ValueError):  # a name: what it stands for is checked whenever we send
        if not config.settings().webhook_allow_private and not public_address.is_public(host):
            raise public_address.PrivateAddress(f"{host} is not a public address")


def secret_of(workspace_id: str) -> str:
    """What signs a workspace's own webhooks: one tenant's secret forges no message to another.

    Derived from WEBHOOK_SECRET, so there is nothing to store. Raises `WebhookRefused` when that is not set.
    """
    return hmac.new(_secret().encode(), f"workspace:{workspace_id}".encode(), hashlib.sha256).hexdigest()


def _secret() -> str:
    secret = config.settings().webhook_secret
    if not secret:
        raise WebhookRefused("set WEBHOOK_SECRET, which signs webhooks, and requeue this delivery")
    return secret.get_secret_value()


def send(url: str, body: bytes, delivery: str, secret: str | None = None) -> int:
    """POST a body signed with WEBHOOK_SECRET or the given secret, following redirects that keep it a POST.

    Returns the status of the answer, 2xx. Raises as `deliver`.
    """
    settings = config.settings()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "clianta-jobs",
        "X-Clianta-Delivery": delivery,
        "X-Clianta-Signature": signature(secret or _secret(), body, int(time.time())),
    }
    for _ in range(1 + MOST_REDIRECTS):
        target = _target(url)
        answer, location = _post(target, body, headers, allow_private=settings.webhook_allow_private)
        if answer not in REDIRECTS:
            return answer
        url = _redirected(target, location)
    raise WebhookRefused(f"{target.hostname} redirects more than {MOST_REDIRECTS} times")


def _redirected(target: SplitResult, location: str) -> str:
    with suppress(ValueError):  # brackets that do not match
        url = urljoin(target.geturl(), location)
        if target.scheme == "https" and urlsplit(url).scheme != "https":
            raise WebhookRefused(f"{target.hostname} redirects from https to something else")
        return url
    raise WebhookRefused(f"{target.hostname} redirects to what is no URL")


def signature(secret: str, body: bytes, timestamp: int) -> str:
    """The value of X-Clianta-Signature."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def _target(url: str) -> SplitResult:
    with suppress(ValueError):  # brackets that do not match, a port that is no number
        parts = urlsplit(url)
        is_http = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if is_http and parts.username is None:
            return parts
    raise WebhookRefused("the webhook's URL must be like https://host/path, without a user name")


def _post(
    target: SplitResult, body: bytes, headers: Mapping[str, str], *, allow_private: bool
) -> tuple[int, str]:
    """Status and Location of an answer that is no error."""
    path = quote(target.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(target.query, safe="/?%:@!$&'()*+,;=~-._")
    try:
        with _connection(target, allow_private=allow_private) as connection:
            connection.request("POST", f"{path}?{query}" if query else path, body, dict(headers))
            answer = connection.getresponse()
            answer.read(ANSWER_READ)
    except (OSError, http.client.HTTPException) as error:
        raise WebhookUnavailable(f"{target.hostname}: {type(error).__name__}: {error}") from None
    _raise_for(answer, str(target.hostname))
    return answer.status, answer.getheader("Location", "")


@contextmanager
def _connection(target: SplitResult, *, allow_private: bool) -> Iterator[http.client.HTTPConnection]:
    """A connection to the very address that was checked, which is cut when the time is over."""
    is_tls = target.scheme == "https"
    host, port = str(target.hostname), target.port or (443 if is_tls else 80)
    sock = _connect(public_address.resolve(host, port, allow_private=allow_private), port)
    if is_tls:
        context = ssl.create_default_context()
        sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    connection = (http.client.HTTPSConnection if is_tls else http.client.HTTPConnection)(host, port)
    connection.sock = sock
    with sock, _cut_after(sock, DEADLINE):
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        yield connection


@contextmanager
def _cut_after(sock: socket.socket, seconds: float) -> Iterator[None]:
    """A time limit for the whole block: the socket's own starts anew with each byte."""

    def cut() -> None:
        with suppress(OSError):  # it has ended by itself
            # The base class's: a TLS socket's own would pull its state from under the reader.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    sock.settimeout(seconds)
    watchdog = threading.Timer(seconds, cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _connect(addresses: list[str], port: int) -> socket.socket:
    """To the first that answers; together they have as long as a request, however many there are."""
    until = time.monotonic() + DEADLINE
    failed: OSError = TimeoutError("timed out")
    for address in addresses:
        if (left := until - time.monotonic()) <= 0:
            break
        try:
            return socket.create_connection((address, port), min(CONNECT_TIMEOUT, left))
        except OSError as error:  # the next one may answer, as IPv4 where IPv6 leads nowhere
            failed = error
    raise failed


def _raise_for(answer: http.client.HTTPResponse, host: str) -> None:
    if answer.status < 300 or (answer.status in REDIRECTS and answer.getheader("Location")):
        return
    message = f"{host} answered {answer.status} {answer.reason}"
    if answer.status < 500 and answer.status not in TRY_AGAIN:
        raise WebhookRefused(f"{message}; the webhook's URL or its receiver must be put right")
    raise WebhookUnavailable(message, _retry_after(answer.getheader("Retry-After")))


def _retry_after(header: str | None) -> float | None:
    return min(float(header), LONGEST_RETRY_AFTER) if header and header.isdecimal() else None
