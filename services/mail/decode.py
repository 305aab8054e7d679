"""Bytes and headers of unknown honesty into clean text. Nothing here raises, whatever the input."""

import binascii
import codecs
import re
from email.errors import MessageError

import charset_normalizer

# What the standard library's e-mail code raises on malformed input: a documented error here, a bare
# TypeError or AssertionError from deep inside there.
MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    MessageError,
)

GUESS_BYTES = 20_000  # enough to recognise a charset; guessing on megabytes takes seconds
HEADER_LIMIT = 100_000  # characters; a thousand recipients fit

# Names in the wild for charsets that Python knows under another name, or knows too narrowly:
# WHATWG reads latin-1 and ASCII as Windows-1252, since that is what senders mean.
ALIASES = {
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "x-mac-roman": "mac-roman",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
}
# Python "charsets" that are no charsets, or whose decoders are not linear in time.
REFUSED = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"})
# What undeclared bytes may be. Left to itself the guesser finds code pages of the eighties in a short name.
LATIN = ["cp1252", "cp1250"]
OTHERS = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030", "big5", "cp949"]

ENCODED_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
UNSAFE = re.compile("[\x00\ud800-\udfff]")
CONTROLS = re.compile("[\x00-\x1f\x7f\u2028\u2029]+")


def clean(text: str) -> str:
    """Without NUL and lone surrogates, which stores refuse, and with `\\n` as the only line end."""
    return UNSAFE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def one_line(text: str, limit: int) -> str:
    """At most `limit` characters on one line, for headers and names."""
    return " ".join(CONTROLS.sub(" ", clean(text)).split())[:limit]


def text(data: bytes, charset: str | None) -> tuple[str, str | None]:
    """Decode by the declared charset, else UTF-8, else the best guess; the second value names a problem."""
    declared = (charset or "").strip("\"' \t\r\n").lower()
    if declared:
        decoded = _decode(data, ALIASES.get(declared, declared))
        if decoded is not None:
            return clean(decoded), None
    problem = f"text is not valid {one_line(declared, 40)!r}" if declared else None
    decoded = _decode(data, "utf-8")
    return clean(decoded if decoded is not None else _guess(data)), problem


def header(raw: str) -> str:
    """A header value as the parser hands it over (raw bytes as surrogates), decoded by RFC 2047."""
    value = raw[:HEADER_LIMIT].replace("\r", "").replace("\n", "")
    if not value.isascii():
        value, _ = text(value.encode("utf-8", "surrogateescape"), None)
    return clean(_decode_words(value))


def _decode_words(value: str) -> str:
    """Join adjacent words of one charset before decoding: senders split characters between words."""
    out: list[str] = []
    pending, charset, end = b"", "", 0
    for word in ENCODED_WORD.finditer(value):
        gap = value[end : word.start()]
        data, named = _word_bytes(word), word[1].split("*")[0].lower()
        if pending and (gap.strip() or named != charset):
            out.append(text(pending, charset)[0])
            pending = b""
        if gap.strip() or end == 0:
            out.append(gap)
        pending, charset, end = pending + data, named, word.end()
    out.append(text(pending, charset)[0] if pending else "")
    out.append(value[end:])
    return "".join(out)


def _word_bytes(word: re.Match[str]) -> bytes:
    data = word[3].encode("utf-8", "replace")
    if word[2] in "qQ":
        return binascii.a2b_qp(data.replace(b"_", b" "), header=False)
    try:
        return binascii.a2b_base64(data + b"==")
    except ValueError:
        return data


def _decode(data: bytes, charset: str) -> str | None:
    try:
        if codecs.lookup(charset).name.replace("_", "-") in REFUSED:
            return None
        return data.decode(charset)
    except MALFORMED:
        if charset != "cp1252":
            return None
        return data.decode("cp1252", "replace")  # five bytes are undefined; browsers read over them


def _guess(data: bytes) -> str:
    """Mostly ASCII is some Latin script, and Western unless that reads badly; else what statistics say."""
    sample = data[:GUESS_BYTES]
    is_latin = 2 * sum(byte > 127 for byte in sample) < len(sample)
    matches = charset_normalizer.from_bytes(sample, cp_isolation=LATIN if is_latin else OTHERS)
    best = min(matches, key=_western_first, default=None) if is_latin else matches.best()
    decoded = _decode(data, best.encoding) if best else None
    return decoded if decoded is not None else data.decode("cp1252", "replace")


def _western_first(match: charset_normalizer.CharsetMatch) -> tuple[float, int]:
    return match.chaos, LATIN.index(match.encoding)
