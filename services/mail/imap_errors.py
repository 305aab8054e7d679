"""An IMAP failure in our words: who must act, and what happened to which mailbox."""

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError, LoginError

from services.mail.decode import MALFORMED
from services.mail.errors import (
    MailboxAuthFailed,
    MailboxFolderMissing,
    MailboxMisconfigured,
    MailboxUnavailable,
    MailError,
)
from services.mail.settings import ServerSettings

# A refused sign-in that says nothing about the password (RFC 5530, and what Gmail, Exchange and Yahoo write).
MOMENTARY = re.compile(
    r"\[(?:UNAVAILABLE|SERVERBUG|INUSE|LIMIT|OVERQUOTA|THROTTLED)\]|too many|temporar|try again|not connected"
    r"|internal (?:server )?error|server (?:error|busy)|timed? ?out|rate limit",
    re.IGNORECASE,
)
NEEDS_TLS = re.compile(
    r"\[PRIVACYREQUIRED\]|plaintext authentication (?:disallowed|not allowed)", re.IGNORECASE
)
NO_FOLDER = re.compile(r"\[(?:NONEXISTENT|TRYCREATE)\]|does(?:n't| not) exist|unknown mailbox", re.IGNORECASE)


@contextmanager
def translated(
    settings: ServerSettings, doing: str, *, folder: str | None = None, uids: Sequence[int] = ()
) -> Iterator[None]:
    """Turn whatever the connection raises while `doing` into one of `services.mail.errors`."""
    try:
        yield
    except MailError:
        raise
    except (IMAPClientError, OSError) as error:
        raise _in_our_words(error, settings, doing, folder, tuple(uids)) from None
    except MALFORMED as error:  # IMAPClient's parser, on an answer that no server should give
        raise MailboxUnavailable(
            f"could not {doing} of {settings}: its answer cannot be read ({settings.scrub(error)}); it is "
            "tried again",
            uids=tuple(uids),
        ) from None


def _in_our_words(
    error: Exception, settings: ServerSettings, doing: str, folder: str | None, uids: tuple[int, ...]
) -> MailError:
    said = settings.scrub(error)
    failed = f"could not {doing} of {settings}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailboxUnavailable(
            f"{failed}: its certificate is not trusted ({said}); its operator must renew it, or give the CA"
        )
    if isinstance(error, socket.gaierror):
        return MailboxUnavailable(f"{failed}: the host name is not found ({said}); check the host")
    if isinstance(error, OSError):
        return MailboxUnavailable(f"{failed}: {said or type(error).__name__}; it is tried again", uids=uids)
    if isinstance(error, CapabilityError) or NEEDS_TLS.search(said):
        return MailboxMisconfigured(f"{failed}: {said}; choose another encryption or port in its settings")
    if isinstance(error, LoginError) and not _is_momentary(error, said):
        return MailboxAuthFailed(f"{settings} refuses the sign-in ({said}); enter its password again")
    if folder is not None and NO_FOLDER.search(said):
        return MailboxFolderMissing(f"{failed}: {said}; the folder was renamed or deleted")
    return MailboxUnavailable(f"{failed}: {said}; it is tried again", uids=uids)


def _is_momentary(error: LoginError, said: str) -> bool:
    """IMAPClient calls everything a LoginError, also a connection that broke while signing in."""
    return isinstance(error.__context__, IMAPClientAbortError) or bool(MOMENTARY.search(said))
