"""`make run`: the whole of Clianta Jobs on this machine, until Ctrl-C.

Starts an embedded Redis and an embedded document store unless REDIS_URL / MONGODB_URI are set, a local mail
server, loads the demo workspace, then web, worker and scheduler from the Procfile. Nothing stays behind.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from io import TextIOWrapper
from pathlib import Path
from types import FrameType

import psutil
import requests

from sandbox import demo_mail, document_store, mail_server, redis_server
from sandbox.process import DidNotStart, Server, answers, free_port

READY_SECONDS = 60  # web, worker and scheduler on a cold, busy machine
STOP_SECONDS = 20  # the longest that running jobs and the processes around them may take
NO_PROXY = {"http": ""}  # never ask a proxy for this machine
BIN = Path(sys.executable).parent

READY = """
  Clianta Jobs is ready.

    API          {url}/api/public/…     try the curl example in README.md
    Admin pages  {url}/admin            log in as {user} / {password}
    Dashboard    {url}/admin/queues
    Health       {url}/readyz
    Workspace    {workspace}
    Mailbox      {mailbox}: mail to it by SMTP on port {smtp_port}
    Commands     in another terminal: . {var}/env, then flask queues, flask contacts show EMAIL, …

  Ctrl-C stops everything. Data is kept in {var}/.
"""


class Stopped(BaseException):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


def main() -> None:
    argparse.ArgumentParser(description=__doc__, epilog="Environment: PORT=5000, VAR=var").parse_args()
    port, var = int(os.environ.get("PORT", "5000")), Path(os.environ.get("VAR", "var"))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _raise_stopped)
    try:
        with ExitStack() as running:
            _start_everything(port, var, running)
    except Stopped:
        say("Stopped.")
    except DidNotStart as error:
        sys.exit(f"✗ {error}")


def say(message: str) -> None:
    print(f"▸ {message}", flush=True)


def _raise_stopped(_signum: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # one is enough: let the stop run to its end
    raise Stopped


def _start_everything(port: int, var: Path, running: ExitStack) -> None:
    var.mkdir(parents=True, exist_ok=True)
    running.enter_context(_alone_in(var))
    if answers(port):
        raise DidNotStart(f"port {port} is in use; choose another: make run PORT={port + 1}")
    environment = {**os.environ, "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    # This machine only, since the demo's secrets are public; and honcho kills after 5 s.
    for name, value in (("DEMO", "1"), ("HOST", "127.0.0.1"), ("SHUTDOWN_GRACE", "4")):
        environment.setdefault(name, value)
    _start_stores(environment, var, running)
    imap_port, smtp_port = free_port(), free_port()
    mail = mail_server.server(var / "mail", imap_port, smtp_port, demo_mail.USERS)
    _start("mail server", mail, running)
    workspace = _load_demo(environment, imap_port, smtp_port)
    _write_environment(var / "env", environment)
    processes = _start_processes(environment, running)
    _wait_until_ready(port, processes)
    _run(
        [str(BIN / "flask"), "jobs", "run", "email-sync"], environment
    )  # the next tick may be 5 minutes away
    print(_announcement(environment, port, var, workspace, smtp_port), flush=True)
    processes.wait()
    raise DidNotStart("a process ended by itself; its last lines above say why")


def _alone_in(var: Path) -> TextIOWrapper:
    """An open, locked file: two runs never share a data folder."""
    lock = (var / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise DidNotStart(
            f"another run uses {var}/; give this one its own: make run VAR={var}2 PORT=5001"
        ) from None
    return lock


def _start_stores(environment: dict[str, str], var: Path, running: ExitStack) -> None:
    if not (environment.get("REDIS_URL") or environment.get("REDIS_HOST")):
        redis = redis_server.embedded(var / "redis")
        _start("Redis", redis, running)
        environment["REDIS_URL"] = redis_server.url(redis)
    if not environment.get("MONGODB_URI"):
        store = document_store.embedded(var / "store")
        _start("document store", store, running)
        environment["MONGODB_URI"] = document_store.uri(store)


def _start(name: str, server: Server, running: ExitStack) -> None:
    say(f"Starting the {name} on port {server.port} …")
    server.start()
    running.callback(server.stop)


def _load_demo(environment: dict[str, str], imap_port: int, smtp_port: int) -> str:
    """Load the demo workspace and its mailbox; returns the workspace's id."""
    say("Loading the demo workspace …")
    output = _run([str(BIN / "flask"), "demo", "load", "--json"], environment)
    _run([sys.executable, "-m", "sandbox.demo_mail", str(imap_port), str(smtp_port)], environment)
    return str(json.loads(output)["workspace_id"])


def _write_environment(file: Path, environment: dict[str, str]) -> None:
    """For `. var/env` in another terminal: then `flask` and `rq` are found and talk to this run."""
    chosen = ["DEMO", "REDIS_URL", "MONGODB_URI", "PORT"]
    lines = [f"export {name}={shlex.quote(environment[name])}" for name in chosen if name in environment]
    file.write_text("\n".join([*lines, f'export PATH={shlex.quote(str(BIN))}:"$PATH"', ""]))
    file.chmod(0o600)  # a given REDIS_URL may hold a password


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DidNotStart(f"{' '.join(command)} failed:\n{done.stderr[-2_000:]}")
    return done.stdout


def _start_processes(environment: dict[str, str], running: ExitStack) -> subprocess.Popen[bytes]:
    """web, worker and scheduler as the Procfile says, under honcho, in a session of their own."""
    say("Starting web, worker and scheduler …")
    command = [str(BIN / "honcho"), "start", "-e", os.devnull, "web", "worker", "scheduler"]
    environment["PATH"] = f"{BIN}{os.pathsep}{environment.get('PATH', '')}"
    processes = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    running.callback(_stop, processes)
    return processes


def _stop(processes: subprocess.Popen[bytes]) -> None:
    """Let honcho end its processes; what is left of them after STOP_SECONDS is killed."""
    if processes.poll() is not None:
        return  # honcho ends its processes when one of them ends
    family = [psutil.Process(processes.pid), *psutil.Process(processes.pid).children(recursive=True)]
    processes.send_signal(signal.SIGTERM)
    _ended, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for process in left:
        say(f"Killing {process.name()} ({process.pid}), which did not stop in time.")
        process.kill()


def _wait_until_ready(port: int, processes: subprocess.Popen[bytes]) -> None:
    deadline, pause, state = time.monotonic() + READY_SECONDS, threading.Event(), "no answer"
    while time.monotonic() < deadline:
        if processes.poll() is not None:
            raise DidNotStart("a process ended by itself; its last lines above say why")
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5, proxies=NO_PROXY)
            state = answer.text
            if answer.ok:
                return
        except requests.RequestException as error:
            state = type(error).__name__
        pause.wait(0.2)
    raise DidNotStart(f"not ready after {READY_SECONDS} s: {state}")


def _announcement(environment: dict[str, str], port: int, var: Path, workspace: str, smtp_port: int) -> str:
    password = "(as set in ADMIN_PASSWORD)" if environment.get("ADMIN_PASSWORD") else "demo-admin"
    return READY.format(
        url=f"http://localhost:{port}",
        user=environment.get("ADMIN_USER", "admin"),
        password=password,
        workspace=workspace,
        mailbox=demo_mail.ADDRESS,
        smtp_port=smtp_port,
        var=var,
    )


if __name__ == "__main__":
    main()
