"""A private Dovecot (Debian's dovecot-imapd, 2.3) on a free loopback port, for tests."""

from __future__ import annotations

import datetime
import grp
import ipaddress
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import imapclient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.process import Server, free_port

CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = {root}/run
state_dir = {root}/state
log_path = /dev/stderr
instance_name = {root}
auth_mechanisms = plain login
disable_plaintext_auth = no
auth_failure_delay = 0
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
{users}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {root}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/mail/%u
}}
mail_location = maildir:~/Maildir
first_valid_uid = 1
namespace inbox {{
  inbox = yes
  separator = /
  mailbox "{sent}" {{
    auto = subscribe
    special_use = \\Sent
  }}
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


def is_installed() -> bool:
    return executable() is not None


def executable() -> str | None:
    """Debian puts it where only root's PATH looks."""
    return shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")


class Dovecot:
    """A server with its own users, certificate and mail in a temporary folder.

    Mail is never read as root: run by root, it belongs to `nobody`.
    """

    def __init__(self, users: dict[str, str], *, sent: str = "Sent") -> None:
        self.users = users
        self.root = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.port, self.tls_port = free_port(), free_port()
        self.ca_file = self.root / "cert.pem"
        self._prepare(sent)
        command = [executable() or "dovecot", "-F", "-c", str(self.root / "dovecot.conf")]
        self._server = Server(command, self.port, self.root / "log", self._greets)

    def start(self) -> None:
        """Start and wait for its greeting. Raises `DidNotStart` with the end of its log."""
        self._server.start()

    def stop(self) -> None:
        """Stop it; the mail stays, and `start` serves it again."""
        self._server.stop()

    def remove(self) -> None:
        """End all its processes at once, since nothing is to be kept."""
        if self._server.pid:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
        self._server.kill()
        shutil.rmtree(self.root, ignore_errors=True)  # a process may still be dying

    def log(self) -> str:
        return (self.root / "log").read_text(errors="replace")

    def deliver(self, user: str, raw: bytes, folder: str = "INBOX", flags: tuple[bytes, ...] = ()) -> None:
        """Put a message into a folder."""
        with self.client(user) as client:
            client.append(folder, raw, flags)

    def delete(self, user: str, uid: int, folder: str = "INBOX") -> None:
        with self.client(user) as client:
            client.select_folder(folder)
            client.delete_messages([uid])
            client.expunge([uid])

    def flags(self, user: str, uid: int, folder: str = "INBOX") -> tuple[bytes, ...]:
        with self.client(user) as client:
            client.select_folder(folder, readonly=True)
            return tuple(client.get_flags([uid])[uid])

    def change_uid_validity(self, user: str, folder: str = "INBOX") -> None:
        """Forget the UIDs, as after a move to another server: the same messages are numbered anew."""
        path = self.root / "mail" / user / "Maildir"
        path = path if folder == "INBOX" else path / f".{folder}"
        for file in [*path.glob("dovecot-uidlist"), *path.glob("dovecot.index*")]:
            file.unlink()

    @contextmanager
    def client(self, user: str) -> Iterator[imapclient.IMAPClient]:
        """A signed-in connection."""
        with imapclient.IMAPClient("127.0.0.1", self.port, ssl=False, timeout=10) as client:
            client.login(user, self.users[user])
            yield client

    def _greets(self) -> bool:
        try:
            imapclient.IMAPClient("127.0.0.1", self.port, ssl=False, timeout=1).shutdown()
        except OSError:
            return False
        return True

    def _prepare(self, sent: str) -> None:
        self.root.chmod(0o755)  # its processes run as several users when root starts it
        mail = self.root / "mail"
        mail.mkdir()
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        if os.geteuid() == 0:
            os.chown(mail, owner.pw_uid, owner.pw_gid)
        passwords = "".join(f"{user}:{password}\n" for user, password in self.users.items())
        (self.root / "passwd").write_text(passwords, encoding="utf-8")
        _write_certificate(self.root)
        config = CONFIG.format(
            root=self.root,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            sent=sent,
            port=self.port,
            tls_port=self.tls_port,
            users=_internal_users(),
            chroot="" if os.geteuid() == 0 else "chroot =",  # only root may
        )
        (self.root / "dovecot.conf").write_text(config)


def _internal_users() -> str:
    """Root keeps the package's users for its helper processes; anyone else can only be themselves."""
    if os.geteuid() == 0:
        return ""
    name = pwd.getpwuid(os.geteuid()).pw_name
    return f"default_internal_user = {name}\ndefault_login_user = {name}\ndefault_internal_group = {_group()}"


def _group() -> str:
    return grp.getgrgid(os.getegid()).gr_name


def _write_certificate(root: Path) -> None:
    """A certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (root / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (root / "key.pem").write_bytes(private)
