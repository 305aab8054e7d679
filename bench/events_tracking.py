"""Twenty clients at the web process: `python -m bench.events_tracking <folder> <rounds> <requests of each>`.

In turns they send batches of ten page views and ask /healthz. No worker runs: the request is measured.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

import config
from bench import processes
from bench.environment import ROOT
from models import store
from models.workspace import Workspace
from sandbox.process import free_port
from services import logs

CLIENTS = 20
BATCH = 10  # page views
NO_PROXY = {"http": ""}  # never ask a proxy for this machine

Send = Callable[[requests.Session, int], requests.Response]


def main() -> None:
    logs.configure("json", "CRITICAL")
    store.connect(config.settings().mongodb_uri.get_secret_value())
    store.ensure_indexes()
    folder, rounds, each = sys.argv[1:]
    workspace = Workspace(name="Acme").save()
    port = free_port()
    line = (ROOT / "Procfile").read_text().splitlines()[0].partition(": ")[2]
    command = ["sh", "-c", f"exec {shlex.quote(sys.executable)} -m {line}"]
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port)}
    with processes.running(command, environment, Path(folder) / "web.log") as process:
        url = f"http://127.0.0.1:{port}"
        processes.wait_until(lambda: _is_up(url), "the web process", 30, [process])
        _round(url, str(workspace.id), 2)  # connections, imports, scripts
        found = [_round(url, str(workspace.id), int(each)) for _ in range(int(rounds))]
    print(json.dumps({"rounds": found}))


def _round(url: str, workspace_id: str, each: int) -> dict[str, Any]:
    bodies = [batch(workspace_id) for _ in range(CLIENTS * each)]  # made before: the clients only send
    headers = {"Content-Type": "application/json"}

    def track(session: requests.Session, number: int) -> requests.Response:
        return session.post(f"{url}/api/public/track/event", bodies[number], headers=headers, timeout=30)

    def healthz(session: requests.Session, _number: int) -> requests.Response:
        return session.get(f"{url}/healthz", timeout=30)

    tracked, tracked_per_second = load(track, each)
    asked, asked_per_second = load(healthz, each)
    return {
        "track": tracked,
        "track_per_second": tracked_per_second,
        "healthz": asked,
        "healthz_per_second": asked_per_second,
    }


def load(send: Send, each: int) -> tuple[list[float], float]:
    """Ms of each request, and requests per second. Raises when one is refused."""

    def client(number: int) -> list[float]:
        with requests.Session() as session:
            session.trust_env = False
            return [_timed(send, session, number * each + place) for place in range(each)]

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        samples = [sample for part in clients.map(client, range(CLIENTS)) for sample in part]
    return samples, len(samples) / (time.perf_counter() - started)


def _timed(send: Send, session: requests.Session, number: int) -> float:
    started = time.perf_counter()
    send(session, number).raise_for_status()
    return (time.perf_counter() - started) * 1_000


def batch(workspace_id: str, views: int = BATCH) -> bytes:
    """Page views as the tracking client sends them, of a visitor of their own."""
    common = {
        "workspaceId": workspace_id,
        "visitorId": uuid4().hex,
        "sessionId": uuid4().hex,
        "eventType": "page_view",
        "eventName": "Page viewed",
        "properties": {"title": "Pricing"},
        "device": {"userAgent": "Firefox", "screen": "1920x1080", "language": "en"},
        "timestamp": store.now().isoformat(),
        "sdkVersion": "1.2.0",
    }
    found = [{**common, "url": f"https://www.acme.test/{place}"} for place in range(views)]
    return json.dumps({"events": found}).encode()


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2, proxies=NO_PROXY).status_code == 200
    except requests.RequestException:
        return False


if __name__ == "__main__":
    main()
