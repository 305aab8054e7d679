"""Bounces: RFC 3464 reports first, then flufl.bounce for the many servers that write them in prose.

A reply from a person may quote a bounce; so prose is only read in mail that a mail system sent.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from email.message import Message

from flufl.bounce import all_failures

from services.mail import decode, headers
from services.mail.message import Bounce, FailedRecipient

# It tells of each detector at INFO and of each stumble with a traceback; what it finds is in the result.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
ORIGINALS = frozenset(
    {
        "message/rfc822",
        "message/global",
        "text/rfc822-headers",
        "message/rfc822-headers",
        "message/global-headers",
    }
)
REPORT_TYPES = REPORTS | frozenset(
    {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
)
SENDERS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "maildaemon", "mailerdaemon", "mdaemon"})
SUBJECT = re.compile(
    r"(?:undeliver(?:able|ed)|delivery (?:status notification|has failed|failure|failed|report|problem)"
    r"|mail delivery|returned mail"
    r"|failure notice|message not delivered|delayed mail|warning: could not send|unzustellbar"
    r"|nicht zustellbar|zustellung|non remis|échec de (?:la )?(?:remise|livraison)|no se puede entregar"
    r"|onbestelbaar|mancato recapito|non recapitabile|olevererbart|nie można dostarczyć|não entregue)",
    re.IGNORECASE,
)
TEXT_LIMIT = 100_000  # characters of prose; the quoted original below it may be long
LEAVES_LIMIT = 50
DIAGNOSTIC_LIMIT = 300
STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
REPLY_CODE = re.compile(r"(?<![\d.-])([45])\d\d[ -]")
QUOTED_ID = re.compile(r"^[>\s]*message-id:\s*(<[^<>\s]{3,250}>)", re.IGNORECASE | re.MULTILINE)
FULL = re.compile(r"[245]\.2\.2|quota|mailbox (?:is )?full|over ?quota", re.IGNORECASE)
POLICY = re.compile(r"[245]\.7\.\d")  # RFC 3463: of the message or its sender, like that of a spam filter


def find(tree: Message, text: str, sender: str, subject: str) -> Bounce | None:
    """What bounced, or None when this is no bounce. `text` is the decoded body, `sender` its address."""
    parts = list(_parts(tree))
    recipients = tuple(_reported(parts))
    if not recipients and _is_from_mail_system(tree, parts, sender, subject):
        recipients = tuple(_told(tree, text[:TEXT_LIMIT]))
    return Bounce(recipients, _original_id(tree, parts, text)) if recipients else None


def _parts(tree: Message) -> Iterator[Message]:
    """Containers and leaves, without descending into the returned original."""
    stack, seen = [tree], 0
    while stack and seen < LEAVES_LIMIT:
        part = stack.pop()
        seen += 1
        yield part
        if part.get_content_maintype() == "multipart":
            stack.extend(reversed(children(part)))


def children(part: Message) -> list[Message]:
    """The parts within; asking a part without any for its payload may raise."""
    payload = part.get_payload() if part.is_multipart() else []
    return [child for child in payload if isinstance(child, Message)]


def _reported(parts: list[Message]) -> Iterator[FailedRecipient]:
    seen: set[str] = set()
    for part in parts:
        if part.get_content_type() not in REPORTS:
            continue
        for block in _blocks(part):
            failed = _from_block(block)
            if failed and failed.email not in seen:
                seen.add(failed.email)
                yield failed


def _blocks(part: Message) -> Iterator[dict[str, str]]:
    """A report's header blocks: one about the message, then one per recipient.

    The standard library splits message/delivery-status; of its global sister (RFC 6533) it takes the first
    block for headers and leaves the others as text.
    """
    payload = part.get_payload()
    for block in payload if isinstance(payload, list) else [part]:
        if not isinstance(block, Message):
            continue
        yield {key.lower(): str(value) for key, value in block.raw_items()}
        text = block.get_payload()
        unfolded = re.sub(r"\n[ \t]+", " ", decode.clean(text[:TEXT_LIMIT])) if isinstance(text, str) else ""
        for chunk in re.split(r"\n\s*\n", unfolded):
            pairs = (line.partition(":") for line in chunk.split("\n"))
            yield {key.strip().lower(): value.strip() for key, _, value in pairs}


def _from_block(block: dict[str, str]) -> FailedRecipient | None:
    action = block.get("action", "").strip().lower()
    is_final = action.startswith(("fail", "error"))
    if not is_final and not action.startswith("delay"):
        return None  # delivered, relayed, expanded: good news
    # The original recipient is the one we wrote to; the final one may be what it was rewritten to.
    for name in ("original-recipient", "final-recipient"):
        address = block.get(name, "").rpartition(";")[2]
        if found := headers.ADDRESS.search(decode.header(address)):
            diagnostic = decode.one_line(decode.header(block.get("diagnostic-code", "")), DIAGNOSTIC_LIMIT)
            code = STATUS.search(block.get("status", ""))
            status = code[1] if code else ""
            return FailedRecipient(
                found[0].lower(), is_final, is_final and is_permanent(status, diagnostic), status, diagnostic
            )
    return None


def is_permanent(status: str, diagnostic: str) -> bool:
    """Whether the address is bad: a full mailbox is emptied again, and a filter refuses one mail, not all.

    `status`: an RFC 3463 code or "".
    """
    if any(reason.search(text) for reason in (FULL, POLICY) for text in (status, diagnostic)):
        return False
    if status:
        return status.startswith("5")
    code = REPLY_CODE.search(diagnostic)
    return code is None or code[1] == "5"


def _is_from_mail_system(tree: Message, parts: list[Message], sender: str, subject: str) -> bool:
    if tree.get("x-failed-recipients") or any(part.get_content_type() in REPORTS for part in parts):
        return True
    if sender.partition("@")[0] in SENDERS or not sender:
        return bool(SUBJECT.search(subject)) or tree.get_content_type() == "multipart/report"
    return str(tree.get("return-path", "")).strip() == "<>" and bool(SUBJECT.search(subject))


def _told(tree: Message, text: str) -> Iterator[FailedRecipient]:
    """Recipients that a mail system names in a header or in prose."""
    named = [found.email for found in headers.addresses([str(tree.get("x-failed-recipients", ""))])]
    delayed, failed = ((), named) if named else _flufl(tree)
    status = next((code for code in STATUS.findall(text) if code[0] in "45"), "")
    is_lost = is_permanent(status, text)
    for address in failed:
        yield FailedRecipient(address, True, is_lost, status)
    for address in delayed:
        yield FailedRecipient(address, False, False, status)


def _flufl(tree: Message) -> tuple[list[str], list[str]]:
    try:
        delayed, failed = all_failures(tree)
    except decode.MALFORMED:
        return [], []  # its detectors trust the structure more than we may
    return _readable(delayed), _readable(failed - delayed)


def _readable(addresses: Iterable[bytes]) -> list[str]:
    return sorted(address.decode("ascii", "replace").lower() for address in addresses if b"@" in address)


def _original_id(tree: Message, parts: list[Message], text: str) -> str | None:
    """From the returned message or its headers, else quoted in prose, else what the bounce replies to."""
    for part in parts:
        if part is not tree and part.get_content_type() in ORIGINALS and (found := _id_within(part)):
            return found
    if quoted := QUOTED_ID.findall(text[-TEXT_LIMIT:]):
        return headers.message_id(quoted[-1])
    for name in ("in-reply-to", "references"):
        if answered := headers.message_ids(str(tree.get(name, ""))):
            return answered[-1]
    return None


def _id_within(part: Message) -> str | None:
    payload = part.get_payload()
    if isinstance(payload, list):
        inner = payload[0] if payload else None
        return headers.message_id(str(inner.get("message-id", ""))) if isinstance(inner, Message) else None
    data = part.get_payload(decode=True)
    quoted = QUOTED_ID.search(decode.text(data[:TEXT_LIMIT], None)[0]) if isinstance(data, bytes) else None
    return headers.message_id(quoted[1]) if quoted else None
