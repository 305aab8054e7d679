"""Which conversation a message belongs to. The caller looks the candidates up; here it is decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.mail import subjects
from services.mail.message import EmailMessage

SUBJECT_WINDOW = timedelta(days=30)  # the same subject later is another conversation


class ThreadedBy(StrEnum):
    """The rule that found the thread."""

    PROVIDER = "provider"
    REFERENCES = "references"
    SUBJECT = "subject"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Known:
    """A stored message of the same workspace, as far as threading needs it. `sent_at` is aware."""

    thread_key: str
    message_id: str | None
    provider_thread_id: str | None
    subject_key: str
    participants: frozenset[str]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Thread:
    """The decision. `key` is stable: a thread that is not known yet is named by its root's Message-ID."""

    key: str
    by: ThreadedBy


def resolve(
    message: EmailMessage, candidates: Iterable[Known], *, at: datetime, provider_thread_id: str | None = None
) -> Thread:
    """Provider's thread id, else References and In-Reply-To, else subject and participants within 30 days.

    `at` stands for the date of a message that has none: when the server received it. Candidates are stored
    messages; useful ones share the provider's thread id, `hints(message)` or `subject_key(message)`.
    """
    known = list(candidates)
    if provider_thread_id:
        for candidate in known:
            if candidate.provider_thread_id == provider_thread_id:
                return Thread(candidate.thread_key, ThreadedBy.PROVIDER)
    if key := _by_references(message, known):
        return Thread(key, ThreadedBy.REFERENCES)
    if key := _by_subject(message, known, message.sent_at or at):
        return Thread(key, ThreadedBy.SUBJECT)
    return Thread(root(message), ThreadedBy.NEW)


def hints(message: EmailMessage) -> tuple[str, ...]:
    """The Message-IDs that the message answers, the nearest first."""
    return tuple(dict.fromkeys((*message.in_reply_to, *reversed(message.references))))


def root(message: EmailMessage) -> str:
    """The key of a thread that starts here: replies that arrive before their original name the same one."""
    return next(iter((*message.references, *message.in_reply_to)), message.dedupe_key)


def subject_key(message: EmailMessage) -> str:
    """The subject as threading compares it."""
    return subjects.key(message.subject)


def participants(message: EmailMessage) -> frozenset[str]:
    """Everybody who wrote it or got it openly."""
    people = {address.email for address in (*message.to, *message.cc)}
    return frozenset(people | {message.from_.email} if message.from_ else people)


def _by_references(message: EmailMessage, known: list[Known]) -> str | None:
    by_id = {candidate.message_id: candidate.thread_key for candidate in known if candidate.message_id}
    for hint in hints(message):
        if hint in by_id:
            return by_id[hint]
    # Its answers may have come first, from another folder: they named their thread after a root that we lack.
    names = {*hints(message), message.dedupe_key}
    return next((candidate.thread_key for candidate in known if candidate.thread_key in names), None)


def _by_subject(message: EmailMessage, known: list[Known], when: datetime) -> str | None:
    key, people = subject_key(message), participants(message)
    alike = [
        candidate
        for candidate in known
        if key
        and candidate.subject_key == key
        and abs(when - candidate.sent_at) <= SUBJECT_WINDOW
        and _is_same_circle(people, candidate.participants)
    ]
    return max(alike, key=lambda candidate: candidate.sent_at).thread_key if alike else None


def _is_same_circle(one: frozenset[str], other: frozenset[str]) -> bool:
    """Two people in common, so that the rule outlives a changed Cc; or exactly the same."""
    return len(one & other) >= 2 or (bool(one) and one == other)
