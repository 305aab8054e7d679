"""Is there a pickle in Redis? Reads every key of RQ's as its tools would."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode

from queues.connection import redis


def found() -> list[str]:
    """What in Redis is not JSON though it should be: job data, meta and results, each by key and field."""
    return [*_in_jobs(), *_in_results()]


def _in_jobs() -> list[str]:
    bad = []
    for key in redis().scan_iter("rq:job:*", count=1_000):
        if redis().type(key) != b"hash":
            continue
        record = redis().hgetall(key)
        parts = {"data": zlib.decompress(record[b"data"])}
        parts |= {name: record[name.encode()] for name in ("meta", "result") if name.encode() in record}
        bad += [f"{key.decode()} {name}: {raw!r}" for name, raw in parts.items() if not is_json(raw)]
    return bad


def _in_results() -> list[str]:
    return [
        f"{key.decode()} {entry_id.decode()}"
        for key in redis().scan_iter("rq:results:*", count=1_000)
        for entry_id, fields in redis().xrange(key)
        if b"return_value" in fields and not is_json(b64decode(fields[b"return_value"]))
    ]


def is_json(raw: bytes) -> bool:
    try:
        json.loads(raw.decode())
    except ValueError:
        return False
    return True
