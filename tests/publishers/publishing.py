"""Publishes events, as others do: `python -m tests.publishers.publishing WORKSPACE CONTACT 30`.

It says when it is ready, and begins when a line comes in.
"""

from __future__ import annotations

import sys

import config
from models import store
from publishers import events
from schemas.contact import ContactUpdated


def main(workspace_id: str, contact_id: str, count: str) -> None:
    store.connect(config.settings().mongodb_uri.get_secret_value())
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    for number in range(int(count)):
        event = ContactUpdated(workspace_id=workspace_id, contact_id=contact_id, changed=[str(number)])
        events.publish(event, key=f"test:{number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
