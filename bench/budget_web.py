"""The web process' part of the budget, on a real store: publishing, an open dashboard page, doing nothing.

`python -m bench.budget_web <folder> <seconds without requests>` prints the bills.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import requests
from bson import ObjectId

import config
from bench import processes
from bench.billing import Meter
from bench.environment import ROOT
from models import store
from publishers import events
from sandbox.process import free_port
from schemas.contact import ContactCreated
from services import logs

PUBLISHED = 20
POLLS = 4
QUEUES_PAGE, QUEUES_DATA = "/admin/queues/", "/admin/queues/0/data/queues.json"
NO_PROXY = {"http": ""}  # never ask a proxy for this machine


def main() -> None:
    logs.configure("json", "CRITICAL")
    settings = config.settings()
    store.connect(settings.mongodb_uri.get_secret_value())
    store.ensure_indexes()
    meter = Meter(settings.redis_location)
    print(json.dumps({"publish": publish(meter), **web(meter)}))


def publish(meter: Meter) -> dict[str, Any]:
    events.publish(_event())  # the script is loaded, the connection made
    meter.start()
    for _ in range(PUBLISHED):
        events.publish(_event())
    return meter.bill().times(1 / PUBLISHED)


def web(meter: Meter) -> dict[str, Any]:
    """The process as the Procfile starts it: idle, then with one open page of rq-dashboard."""
    folder, idle_seconds = sys.argv[1:]
    port, log = free_port(), Path(folder) / "web.log"
    line = (ROOT / "Procfile").read_text().splitlines()[0].partition(": ")[2]
    command = ["sh", "-c", f"exec {shlex.quote(sys.executable)} -m {line}"]
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port)}
    with processes.running(command, environment, log) as process:
        url = f"http://127.0.0.1:{port}"
        processes.wait_until(lambda: _is_up(url), "the web process", 30, [process])
        meter.start()
        processes.pause(float(idle_seconds))
        idle = meter.bill().times(86_400 / float(idle_seconds))
        return {"idle web": idle, **dashboard(meter, url)}


def dashboard(meter: Meter, url: str) -> dict[str, Any]:
    """Per hour that the page is open, and per load of the page; the browser's polls are sent from here."""
    with requests.Session() as browser:
        browser.proxies = NO_PROXY
        browser.headers.update({"Accept": "text/html", "Sec-Fetch-Site": "same-origin"})
        _log_in(browser, url)
        meter.start()
        page = browser.get(url + QUEUES_PAGE)
        page.raise_for_status()
        loaded = meter.bill()
        every = int(_found(r"POLL_INTERVAL = (\d+)", page.text)) / 1_000
        meter.start()
        for _ in range(POLLS):
            browser.get(url + QUEUES_DATA).raise_for_status()
        return {
            "dashboard page, loaded": loaded.times(1),
            "dashboard page, open for an hour": meter.bill().times(3_600 / every / POLLS),
        }


def _log_in(browser: requests.Session, url: str) -> None:
    settings = config.settings()
    csrf = _found(r'name="csrf" value="([^"]+)"', browser.get(f"{url}/admin/login").text)
    form = {"user": settings.admin_user, "password": settings.secret("admin_password"), "csrf": csrf}
    browser.post(f"{url}/admin/login", form).raise_for_status()


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if not match:
        raise processes.Failed(f"a page of the web process shows no {pattern}")
    return match[1]


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2, proxies=NO_PROXY).status_code == 200
    except requests.RequestException:
        return False


def _event() -> ContactCreated:
    return ContactCreated(workspace_id=str(ObjectId()), contact_id=str(ObjectId()), source="api")


if __name__ == "__main__":
    main()
