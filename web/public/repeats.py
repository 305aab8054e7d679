"""What makes a request unique whose body names nothing that does: a double click stores nothing twice."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

from flask import request
from werkzeug.exceptions import UnprocessableEntity

from models import store

SAME_WITHIN = timedelta(minutes=1)  # a double click, or the retry of a client that names no key
LONGEST_KEY = 255  # characters of an Idempotency-Key
OTHER = "Idempotency-Key: was used for another submission"


def keys(sent: Any) -> list[str]:
    """The keys that this request may be known by, the one to store it under first.

    That is the client's own `Idempotency-Key`. Without one it is what was sent, in this minute or the one
    before: a double click or a retry is the same even across the minute's end, and a person may send the
    same again later. `sent` is plain JSON.
    """
    if (named := request.headers.get("Idempotency-Key")) is not None:
        if not 0 < len(named) <= LONGEST_KEY:
            raise UnprocessableEntity(f"Idempotency-Key: must have 1 to {LONGEST_KEY} characters")
        return [f"client:{named}"]
    digest = hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()
    moment = store.now()
    return [f"{(moment - ago).strftime('%Y-%m-%dT%H:%M')}:{digest}" for ago in (timedelta(0), SAME_WITHIN)]
