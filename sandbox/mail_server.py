"""A mail server for the demo: SMTP takes mail, IMAP serves it, on real sockets of this machine only.

    python -m sandbox.mail_server --imap-port 1143 --smtp-port 1025 --dir var/mail --user a@b.test:secret

Signed-in senders may write to anyone: what leaves the local domains lies in the mailbox
outside@world.invalid. Mail to bounce-later@... is accepted and comes back as a bounce. Mail to an unknown
user of a local domain is refused (550).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP

from sandbox.imap_server import Session
from sandbox.mail_store import MailStore
from sandbox.process import Server, answers
from sandbox.smtp_handler import OUTSIDE, Handler

HOST = "127.0.0.1"
LINE_LIMIT = 1024 * 1024  # bytes of one IMAP command line


def server(folder: Path, imap_port: int, smtp_port: int, users: dict[str, str]) -> Server:
    """The same as a program of its own, not started yet; its `port` is the IMAP port."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sandbox.mail_server", "--dir", str(folder)]
    command += ["--imap-port", str(imap_port), "--smtp-port", str(smtp_port)]
    for user, password in users.items():
        command += ["--user", f"{user}:{password}"]
    log = folder / "mail_server.log"
    return Server(command, imap_port, log, lambda: answers(imap_port) and answers(smtp_port))


async def run(store: MailStore, imap_port: int, smtp_port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    async def imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Session(store, reader, writer).serve()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or we stop
        finally:
            writer.close()

    handler = Handler(store)
    imap_server = await asyncio.start_server(imap, HOST, imap_port, limit=LINE_LIMIT)
    smtp_server = await loop.create_server(
        lambda: SMTP(
            handler, hostname="sandbox", authenticator=handler.authenticate, auth_require_tls=False, loop=loop
        ),
        HOST,
        smtp_port,
    )
    print(f"mail: imap://{HOST}:{imap_port} smtp://{HOST}:{smtp_port}", flush=True)
    await stopping.wait()
    imap_server.close()
    smtp_server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.mail_server", description=__doc__.split("\n")[0])
    parser.add_argument("--imap-port", type=int, required=True, metavar="PORT")
    parser.add_argument("--smtp-port", type=int, required=True, metavar="PORT")
    parser.add_argument("--dir", type=Path, required=True, metavar="FOLDER", help="where mail is kept")
    parser.add_argument(
        "--user", action="append", default=[], metavar="ADDRESS:PASSWORD", help="a mailbox; repeatable"
    )
    options = parser.parse_args()
    users = dict(pair.partition(":")[::2] for pair in options.user)
    if not users or not all("@" in user and password for user, password in users.items()):
        parser.error("--user must be given at least once, as ADDRESS:PASSWORD")
    first_password = next(iter(users.values()))
    store = MailStore(options.dir, {OUTSIDE: first_password, **users})
    asyncio.run(run(store, options.imap_port, options.smtp_port))


if __name__ == "__main__":
    main()
