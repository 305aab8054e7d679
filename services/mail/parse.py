"""Raw bytes into an `EmailMessage`; survives anything that a stranger can send.

`compat32` and our own decoding: on Python 3.11 `email.policy.default` raises on some malformed headers.
"""

import email
import hashlib
import re
from datetime import datetime
from email.message import Message

from services.mail import bounce, decode, headers, reply
from services.mail.body import LIMIT, Body
from services.mail.message import Address, Bounce, EmailMessage

SUBJECT_LIMIT = 1_000
# The standard library compares each line with each open boundary; past this many comparisons (some seconds) a
# message is not taken apart. An honest mail of 50 MB needs 5 million.
PARSE_BUDGET = 20_000_000
BOUNDARY = re.compile(rb"boundary\s*=", re.IGNORECASE)
END_OF_HEADERS = re.compile(rb"\r?\n\r?\n|\r\r")
HEADER_LINE = re.compile(rb"[!-9;-~]+:|[ \t\r]|From ")
SPACE_BEFORE_COLON = re.compile(rb"^([!-9;-~]{1,70})[ \t]+:", re.MULTILINE)
USUAL_HEADER = re.compile(rb"(?:from|to|subject|date|message-id|content-type|mime-version):", re.IGNORECASE)
CONTENT_TYPE = re.compile(rb"^content-type:", re.IGNORECASE | re.MULTILINE)
KEPT_HEADERS = """
auto-submitted x-autoreply x-autorespond x-autoresponder x-auto-response-suppress precedence return-path
list-id list-unsubscribe list-unsubscribe-post x-failed-recipients feedback-id
"""


def parse(raw: bytes, *, size: int | None = None, is_truncated: bool = False) -> EmailMessage:
    """Parse a message, or, with `is_truncated`, the headers of one that was too large to fetch.

    `size` is what the server says in bytes (default: the length of `raw`). Never raises: what cannot be
    read is named in `problems`.
    """
    body = Body()
    tree = _headers_only(raw) if is_truncated else _taken_apart(raw, body)
    if not is_truncated:
        body.gather(tree)
    text = body.text()
    sender = next(iter(_people(tree, "from") or _people(tree, "sender")), None)
    subject = decode.one_line(decode.header(_first(tree, "subject")), SUBJECT_LIMIT)
    message_id, sent_at = headers.message_id(_first(tree, "message-id")), headers.date(_first(tree, "date"))
    if sent_at is None:
        body.complain("no readable date")
    if sender is None:
        body.complain("no readable sender")
    found = _bounce(tree, text, sender, subject, body)
    return EmailMessage(
        message_id=message_id,
        dedupe_key=message_id or _content_key(sent_at, sender, subject, text),
        subject=subject,
        from_=sender,
        sent_at=sent_at,
        size=len(raw) if size is None else size,
        to=_people(tree, "to"),
        cc=_people(tree, "cc"),
        reply_to=_people(tree, "reply-to"),
        in_reply_to=headers.references(_first(tree, "in-reply-to")),
        references=headers.references(_first(tree, "references")),
        text=text,
        reply_text=reply.visible(text),
        html=body.html(),
        attachments=tuple(body.attachments),
        headers=_kept(tree),
        bounce=found,
        is_truncated=is_truncated,
        problems=body.problems,
    )


def content_key(message: EmailMessage) -> str:
    """What makes a message unique where its Message-ID does not."""
    return _content_key(message.sent_at, message.from_, message.subject, message.text)


def _content_key(sent_at: datetime | None, sender: Address | None, subject: str, text: str) -> str:
    return _hash(str(sent_at), sender.email if sender else "", subject, text)


def _taken_apart(raw: bytes, body: Body) -> Message:
    boundaries = sum(1 for _ in BOUNDARY.finditer(raw))
    if raw.count(b"\n") * (1 + boundaries) <= PARSE_BUDGET:
        try:
            return email.message_from_bytes(_mended(raw))
        except decode.MALFORMED:
            pass  # nested deeper than the interpreter's stack, most likely: read it as below
    body.complain("too deep or too large to take apart: read as one text")
    tree, end = _headers_only(raw), _end_of_headers(raw)
    tree.set_payload(raw[end : end + 4 * LIMIT].decode("ascii", "surrogateescape"))
    return tree


def _mended(raw: bytes) -> bytes:
    """With headers as the parser wants them: it takes everything after a line that is no header as the body.

    Such a line is left out when a header that every mail has comes after it; else it does begin the body.
    """
    end = _end_of_headers(raw)
    lines = SPACE_BEFORE_COLON.sub(rb"\1:", raw[:end]).split(b"\n")
    last = max((index for index, line in enumerate(lines) if USUAL_HEADER.match(line)), default=0)
    kept = [line for index, line in enumerate(lines) if index > last or not line or HEADER_LINE.match(line)]
    return b"\n".join(kept) + raw[end:]


def _headers_only(raw: bytes) -> Message:
    """Without the type, which would make the parser look for parts again."""
    return email.message_from_bytes(CONTENT_TYPE.sub(b"X-Unread-Type:", _mended(raw[: _end_of_headers(raw)])))


def _end_of_headers(raw: bytes) -> int:
    end = END_OF_HEADERS.search(raw)
    return end.end() if end else len(raw)


def _bounce(tree: Message, text: str, sender: Address | None, subject: str, body: Body) -> Bounce | None:
    try:
        return bounce.find(tree, text, sender.email if sender else "", subject)
    except decode.MALFORMED:
        body.complain("a delivery report could not be read")
        return None


def _all(tree: Message, name: str) -> list[str]:
    """Values as they were sent; `Message.get` would turn 8-bit ones into replacement characters."""
    return [str(value) for key, value in tree.raw_items() if key.lower() == name]


def _first(tree: Message, name: str) -> str:
    return next(iter(_all(tree, name)), "")


def _people(tree: Message, name: str) -> tuple[Address, ...]:
    return headers.addresses(_all(tree, name))


def _kept(tree: Message) -> dict[str, str]:
    present = {key.lower() for key, _ in tree.raw_items()}
    names = [name for name in KEPT_HEADERS.split() if name in present]
    return {name: decode.one_line(decode.header(_first(tree, name)), SUBJECT_LIMIT) for name in names}


def _hash(*parts: str) -> str:
    """Over words, not over bytes: two servers wrap and pad the same message differently."""
    words = "\0".join(" ".join(part.split()) for part in parts)
    return "hash:" + hashlib.sha256(words.encode()).hexdigest()
