"""Which folders of a mailbox a sync reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

INBOX = "INBOX"  # by its standard name everywhere (RFC 3501, section 5.1)
NAMES = """
sent, sent items, sent mail, sent messages, gesendet, gesendete elemente, gesendete objekte, envoyés,
messages envoyés, éléments envoyés, objets envoyés, enviados, elementos enviados, enviada, itens enviados,
posta inviata, inviata, verzonden, verzonden items, skickat, skickade, sendt, sendte elementer, lähetetyt,
wysłane, elementy wysłane, odeslané, отправленные
"""
SENT_NAMES = frozenset(name.strip() for name in NAMES.split(","))


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders that a sync reads; `sent` is None where the server has none."""

    inbox: str
    sent: str | None


def choose(listed: Iterable[tuple[Sequence[bytes], bytes | None, str]]) -> Folders:
    """From an IMAP LIST of (flags, delimiter, name): by special use (RFC 6154), else by the usual names."""
    by_use, by_name = [], []
    for flags, delimiter, name in listed:
        marks = {flag.lower() for flag in flags}
        if b"\\noselect" in marks or b"\\nonexistent" in marks:
            continue
        if b"\\sent" in marks:
            by_use.append(name)
        elif name.rpartition((delimiter or b"/").decode())[2].lower() in SENT_NAMES:
            by_name.append(name)
    return Folders(INBOX, next(iter(by_use + by_name), None))
