"""The connection to MongoDB and the indexes that our guarantees rest on."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import mongoengine
import pymongo
from bson import ObjectId
from mongoengine.connection import get_connection
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    PyMongoError,
    WriteConcernError,
)

import models

SELECTION_TIMEOUT_MS = 3_000  # how long a request waits for an absent store before it answers 503

# Less than all ids. MongoDB searches an index that begins with an id by its other fields only if the first is
# asked for, be it "at least this one". Otherwise it reads every document in the order of the index.
LEAST = ObjectId("0" * 24)

DUPLICATE_KEY = 11000  # MongoDB's error code

StoreError = PyMongoError


def connect(uri: str) -> None:
    """Set up the connection; nothing is sent until the first operation. Times come back aware, in UTC."""
    mongoengine.connect(
        host=uri, tz_aware=True, uuidRepresentation="standard", serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS
    )


def disconnect() -> None:
    mongoengine.disconnect()


def is_away(error: Exception) -> bool:
    """Whether the store did not answer, not in time, or is not sure of what it wrote: to be tried again."""
    is_late = isinstance(error, PyMongoError) and error.timeout
    return is_late or isinstance(error, ConnectionFailure | WriteConcernError)


def within(seconds: float) -> AbstractContextManager[None]:
    """What this thread asks of the store in the block fails after that time; see `is_away`.

    Without it a connection that was dropped without a word is waited for until the system gives it up, which
    takes a quarter of an hour.
    """
    return pymongo.timeout(seconds)


def ping() -> None:
    """Raise `StoreError` when the store does not answer."""
    get_connection().admin.command("ping")


@cache
def documents() -> tuple[type[mongoengine.Document], ...]:
    """Every document class under models/."""
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"models.{module.name}")
    found = [kind for kind in mongoengine.Document.__subclasses__() if not kind._meta.get("abstract")]
    return tuple(sorted(found, key=lambda kind: kind.__name__))


def ensure_indexes() -> int:
    """Create what is missing; returns the number of document classes. Safe at every start."""
    for kind in documents():
        kind.ensure_indexes()
    return len(documents())


def missing_indexes() -> list[str]:
    """The declared indexes that are not there, like `contacts (workspace_id, email)`. Raises `StoreError`."""
    return [
        f"{kind._get_collection_name()} ({', '.join(name for name, _ in index)})"
        for kind in documents()
        for index in kind.compare_indexes()["missing"]
        if index != [("_id", 1)]  # comes with the collection's first document
    ]


def insert_new(kind: type[mongoengine.Document], rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """Insert the rows whose unique keys are not taken, with one command; returns the places of the others.

    Safe to repeat. Raises `StoreError`, also when the store is not sure of what it inserted. A single row is
    not sent as a bulk, which costs the driver half as much again.
    """
    collection = kind._get_collection()
    try:
        if len(rows) == 1:
            collection.insert_one(rows[0])
        else:
            collection.insert_many(rows, ordered=False)
    except DuplicateKeyError:
        return {0}
    except BulkWriteError as error:
        problems = error.details["writeErrors"]
        for unsure in error.details["writeConcernErrors"]:
            raise WriteConcernError(unsure["errmsg"], unsure["code"], unsure) from error
        if any(problem["code"] != DUPLICATE_KEY for problem in problems):
            raise
        return {int(problem["index"]) for problem in problems}
    return set()


def now() -> datetime:
    """The present moment in UTC, to the millisecond, which is what the store keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def object_id(value: Any) -> ObjectId | None:
    """The value as an id, or None when it is not one."""
    return ObjectId(value) if ObjectId.is_valid(value) else None


def id_text(value: Any) -> str | None:
    """As `object_id`, as text: what another program stored in the place of an id is told to nobody."""
    found = object_id(value)
    return str(found) if found else None
