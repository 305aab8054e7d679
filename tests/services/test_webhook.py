"""The signed sender, and where it refuses to go."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import config
from services import public_address, webhook
from tests.sink import Sink, listening

SECRET = "a secret of some length"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """With a secret; private addresses are refused, as by default."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    config.settings.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    config.settings.cache_clear()


@pytest.fixture
def private_allowed(settings: pytest.MonkeyPatch) -> None:
    settings.setenv("WEBHOOK_ALLOW_PRIVATE", "true")
    config.settings.cache_clear()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest.fixture
def only_127_0_0_1_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of 127/8 stays private: both can be reached here."""
    monkeypatch.setattr(public_address, "is_public", lambda address: address == "127.0.0.1")


Resolve = Callable[..., list[str]]


@pytest.fixture
def resolve_as(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Let every name stand for these addresses, one per look-up, the last one for ever."""

    def resolve_as(*addresses: str) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, *args: object, **kwargs: object) -> list[object]:
            if host[:1].isdecimal():
                return original(host, port, *args, **kwargs)
            asked.append(host)
            address = addresses[min(len(asked), len(addresses)) - 1]
            return original(address, port, *args, **kwargs)

        original: Callable[..., list[object]] = socket.getaddrinfo
        monkeypatch.setattr(public_address.socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve_as


def deliver(url: str, **changes: object) -> int:
    arguments = {
        "delivery": "webhook-j1-20260101",
        "job_id": "j1",
        "queue": "analytics",
        "status": "finished",
        "ended_at": "2026-01-01T00:00:00.000000Z",
    }
    return webhook.deliver(url, **(arguments | changes))  # type: ignore[arg-type]


def test_a_delivery_is_signed_over_its_time_and_body(private_allowed: None, sink: Sink) -> None:
    result = b64encode(json.dumps({"stored": 3}).encode()).decode()
    assert deliver(f"{sink.url}/hooks/a b?key=ä", result=result) == 204
    (request,) = sink.requests
    assert request.path == "/hooks/a%20b?key=%C3%A4"
    assert json.loads(request.body) == {
        "jobId": "j1",
        "queue": "analytics",
        "status": "finished",
        "endedAt": "2026-01-01T00:00:00.000000Z",
        "result": {"stored": 3},
    }
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Clianta-Delivery"] == "webhook-j1-20260101"
    stamp, signature = (part.split("=", 1)[1] for part in request.headers["X-Clianta-Signature"].split(","))
    signed = stamp.encode() + b"." + request.body
    assert signature == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(int(stamp) - time.time()) < 5


def test_without_a_secret_nothing_is_sent(
    private_allowed: None, sink: Sink, settings: pytest.MonkeyPatch
) -> None:
    settings.delenv("WEBHOOK_SECRET")
    config.settings.cache_clear()
    with pytest.raises(webhook.WebhookRefused, match="set WEBHOOK_SECRET"):
        deliver(sink.url)
    assert sink.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # where clouds keep credentials
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
        "3fff::1",
        "2001::1",
        "64:ff9b:1::7f00:1",  # NAT64 within a site, RFC 8215
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "fec0::1",
        "5f00::1",
        "192.0.0.8",
        "192.88.99.1",
        "198.18.0.1",
    ],
)
def test_an_address_that_is_not_public_is_known(address: str) -> None:
    assert not public_address.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_known(address: str) -> None:
    assert public_address.is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.0.0.1."])
def test_loopback_is_refused_however_it_is_written(sink: Sink, host: str) -> None:
    with pytest.raises((public_address.PrivateAddress, webhook.WebhookUnavailable)) as refused:
        deliver(f"http://{host}:{sink.port}/")
    assert sink.requests == []
    if host != "127.0.0.1.":  # not every resolver takes it for an address
        assert getattr(refused.value, "permanent", False)


def test_a_name_that_stands_for_a_private_address_is_refused(sink: Sink, resolve_as: Resolve) -> None:
    resolve_as("127.0.0.1")
    with pytest.raises(public_address.PrivateAddress, match=r"hooks\.example.*127\.0\.0\.1"):
        deliver(f"http://hooks.example:{sink.port}/")
    assert sink.requests == []


def test_a_name_is_looked_up_once_so_that_it_cannot_change_in_between(
    sink: Sink, resolve_as: Resolve, only_127_0_0_1_is_public: None
) -> None:
    asked = resolve_as("127.0.0.1", "127.0.0.2")
    deliver(f"http://hooks.example:{sink.port}/")
    assert asked == ["hooks.example"]
    assert sink.requests[0].headers["Host"] == f"hooks.example:{sink.port}"


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_post_is_followed(private_allowed: None, sink: Sink, status: int) -> None:
    sink.answers[:] = [(status, {"Location": "/moved"}), (200, {})]
    assert deliver(f"{sink.url}/old") == 200
    assert [request.path for request in sink.requests] == ["/old", "/moved"]
    assert sink.requests[0].body == sink.requests[1].body


def test_a_redirect_to_a_private_address_is_refused(sink: Sink, only_127_0_0_1_is_public: None) -> None:
    with listening("127.0.0.2") as inner:
        sink.answers[:] = [(307, {"Location": f"{inner.url}/admin"})]
        with pytest.raises(public_address.PrivateAddress):
            deliver(sink.url)
        assert inner.requests == []
    assert len(sink.requests) == 1


@pytest.mark.parametrize("location", ["http://[::1", "http://host:port/", "ftp://host/", "//user:pw@host/"])
def test_a_redirect_to_nowhere_is_permanent(private_allowed: None, sink: Sink, location: str) -> None:
    sink.answers[:] = [(307, {"Location": location})]
    with pytest.raises(webhook.WebhookRefused) as refused:
        deliver(sink.url)
    assert refused.value.permanent


def test_a_name_with_a_crowd_of_silent_addresses_keeps_no_worker(
    private_allowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may cost the whole time of a connection, and whoever owns the name decides how many there are."""
    tried: list[str] = []
    connect = socket.create_connection

    def counted(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address[0])
        return connect(address, timeout)

    crowd = [f"127.0.0.{number}" for number in range(1, 21)]
    monkeypatch.setattr(webhook, "CONNECT_TIMEOUT", 0.05)
    monkeypatch.setattr(webhook, "DEADLINE", 0.15)
    monkeypatch.setattr(public_address, "resolve", lambda *_, **__: crowd)
    monkeypatch.setattr(socket, "create_connection", counted)
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("0.0.0.0", 0))  # noqa: S104
        deaf.listen(0)
        for waiting in (first, second):  # so that nobody else is heard
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        with pytest.raises(webhook.WebhookUnavailable, match="timed out"):
            deliver(f"http://hooks.example:{deaf.getsockname()[1]}/")
    assert 1 < len(tried) <= 4


def test_redirects_end(private_allowed: None, sink: Sink) -> None:
    sink.answers[:] = [(307, {"Location": "/again"})]
    with pytest.raises(webhook.WebhookRefused, match="more than 3 times"):
        deliver(sink.url)
    assert len(sink.requests) == 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 400, 401, 404, 410, 422])
def test_an_answer_that_will_not_change_is_permanent(private_allowed: None, sink: Sink, status: int) -> None:
    sink.answers[:] = [(status, {})]
    with pytest.raises(webhook.WebhookRefused, match=f"127.0.0.1 answered {status}") as refused:
        deliver(sink.url)
    assert refused.value.permanent


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_an_answer_that_may_change_is_tried_again(private_allowed: None, sink: Sink, status: int) -> None:
    sink.answers[:] = [(status, {"Retry-After": "7"})]
    with pytest.raises(webhook.WebhookUnavailable, match=str(status)) as unavailable:
        deliver(sink.url)
    assert unavailable.value.retry_after == 7
    assert not getattr(unavailable.value, "permanent", False)


def test_nobody_there_is_tried_again(private_allowed: None) -> None:
    with pytest.raises(webhook.WebhookUnavailable, match="refused"):
        deliver("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "//host/",
        "http:///path",
        "https://user:pw@host/",
        "http://host:port/",
        "http://[::1/",
    ],
)
def test_a_url_that_cannot_work_is_permanent_and_not_quoted(url: str) -> None:
    with pytest.raises(webhook.WebhookRefused) as refused:
        deliver(url)
    assert "pw" not in str(refused.value)


def test_a_receiver_that_trickles_is_cut_off(private_allowed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "DEADLINE", 0.5)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        trickle = threading.Thread(target=_trickle, args=(server, over))
        trickle.start()
        started = time.monotonic()
        with pytest.raises(webhook.WebhookUnavailable):
            deliver(f"http://127.0.0.1:{server.getsockname()[1]}/")
        assert 0.4 < time.monotonic() - started < 3
        over.set()
        trickle.join()


def _trickle(server: socket.socket, over: threading.Event) -> None:
    """Send a byte of the answer at a time, each well within a socket's own time limit."""
    connection, _ = server.accept()
    with connection:
        try:
            while not over.wait(0.05):
                connection.sendall(b"x")
        except OSError:
            return  # cut off, as it should be


def test_tls_is_checked_against_the_name_not_the_address(
    private_allowed: None, resolve_as: Resolve, settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, key = _self_signed("hooks.example", tmp_path)
    settings.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    resolve_as("127.0.0.1")
    with listening(tls=context) as sink:
        assert deliver(f"https://hooks.example:{sink.port}/") == 204
        with pytest.raises(webhook.WebhookUnavailable, match="certificate"):
            deliver(f"https://other.example:{sink.port}/")
        sink.answers[:] = [(307, {"Location": f"http://hooks.example:{sink.port}/"})]
        with pytest.raises(webhook.WebhookRefused, match="from https to something else"):
            deliver(f"https://hooks.example:{sink.port}/")
        assert len(sink.requests) == 2


def _self_signed(name: str, folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.3"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path
