"""An embedded document store that speaks MongoDB's wire protocol (SecantusDB), for development and tests.

A program of its own that we start and talk to; production brings a MongoDB.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from sandbox.process import Server, free_port


def embedded(folder: Path, port: int | None = None) -> Server:
    """A document store with its files under `folder`; not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [str(Path(sys.executable).parent / "secantusd-py"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--storage-path", str(folder / "data"), "--sync-on-commit", "--log-level", "WARNING"]

    def ready() -> bool:
        client: pymongo.MongoClient[Any] = pymongo.MongoClient(port=port, serverSelectionTimeoutMS=200)
        with client:
            try:
                return bool(client.admin.command("ping")["ok"])
            except PyMongoError:
                return False

    return Server(command, port, folder / "store.log", ready)


def uri(server: Server, database: str = "clianta") -> str:
    # Retryable writes slow this store down fifteenfold; without the journal a kill -9 loses writes.
    return f"mongodb://127.0.0.1:{server.port}/{database}?retryWrites=false&journal=true"
