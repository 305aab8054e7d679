"""Text, HTML and the list of attachments out of a tree of MIME parts. Nothing here raises."""

from collections.abc import Iterator
from email.message import Message

from services.mail import decode, headers, html
from services.mail.bounce import REPORT_TYPES, children
from services.mail.message import Attachment

LIMIT = 500_000  # characters of text and of HTML each; a stored document holds 16 MB at most
ATTACHMENTS_LIMIT = 100
PARTS_LIMIT = 1_000
DEPTH_LIMIT = 30


class Body:
    """What a walk over the parts gathers; `problems` keep their order and come once each."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._html: list[str] = []
        self.attachments: list[Attachment] = []
        self._problems: dict[str, None] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self._problems)

    def complain(self, problem: str) -> None:
        self._problems[problem] = None

    def html(self) -> str:
        return self._bounded("\n".join(self._html))

    def text(self) -> str:
        """The plain text; what the HTML says where there is none."""
        text = self._bounded("\n".join(self._text))
        return text if text.strip() else html.to_text(self.html())

    def gather(self, tree: Message) -> None:
        """Take in every part; one that cannot be read costs itself only."""
        for part, is_alternative in self._leaves(tree):
            try:
                self._take(part, is_alternative=is_alternative)
            except decode.MALFORMED:
                self.complain("a part could not be read")

    def _leaves(self, tree: Message) -> Iterator[tuple[Message, bool]]:
        """The parts that are no containers, in order, and whether another part says the same.

        A forwarded message counts as one part.
        """
        stack = [(tree, 0, False)]
        for _ in range(PARTS_LIMIT):
            if not stack:
                return
            part, depth, is_alternative = stack.pop()
            if not part.is_multipart() or part.get_content_maintype() != "multipart":
                yield part, is_alternative
            elif depth < DEPTH_LIMIT:
                choice = is_alternative or part.get_content_subtype() == "alternative"
                stack.extend((child, depth + 1, choice) for child in reversed(children(part)))
            else:
                self.complain("parts nested too deeply were left out")
        if stack:
            self.complain(f"only the first {PARTS_LIMIT} parts were read")

    def _take(self, part: Message, *, is_alternative: bool) -> None:
        content_type = decode.one_line(part.get_content_type(), 100)
        data = part.get_payload(decode=True)
        content = data if isinstance(data, bytes) else _inner(part)
        name = _file_name(part)
        if content_type.startswith("multipart/"):
            content_type = "text/plain"  # promised parts and has none: what is there was meant to be read
        is_attached = "attachment" in str(part.get("content-disposition", "")).lower()[:50]
        if content_type in ("text/plain", "text/html") and not is_attached and not name:
            self._add(content_type, content, _charset(part), is_alternative=is_alternative)
        elif content_type not in REPORT_TYPES and len(self.attachments) < ATTACHMENTS_LIMIT:
            self.attachments.append(Attachment(name or content_type, content_type, len(content)))

    def _add(self, content_type: str, content: bytes, charset: str | None, *, is_alternative: bool) -> None:
        text, problem = decode.text(content[: 4 * LIMIT], charset)
        if problem:
            self.complain(problem)
        if content_type == "text/plain":
            self._text.append(text)
            return
        self._html.append(text)
        if not is_alternative:  # a mailing list adds its plain footer to a mail that is HTML only
            self._text.append(html.to_text(text))

    def _bounded(self, text: str) -> str:
        if len(text) > LIMIT:
            self.complain(f"body cut at {LIMIT:,} characters")
        return text[:LIMIT]


def _file_name(part: Message) -> str:
    """As given; a forwarded message goes by its subject."""
    try:
        subject = next((str(child.get("subject", "")) for child in children(part)), "")
        return decode.one_line(decode.header(part.get_filename() or subject), headers.NAME_LIMIT)
    except decode.MALFORMED:
        return "unnamed"


def _inner(part: Message) -> bytes:
    """A forwarded message, for its size."""
    return b"".join(child.as_bytes() for child in children(part))


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except decode.MALFORMED:
        return None
