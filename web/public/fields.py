"""Types of the fields that strangers send: bounded, and storable as they are.

Messages say what is wrong and never repeat the value.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit

from bson import ObjectId
from bson.errors import InvalidId
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo
from werkzeug.exceptions import UnprocessableEntity

DEPTH = 5  # levels of lists and objects under a free field
ITEMS = 100  # in one list or object
TEXT_LENGTH = 8_192  # characters of a free text
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # would steer a terminal, or break a mail's header
INT64 = 2**63  # the store keeps 64 bits
CLOCK_SKEW = timedelta(minutes=5)  # how far a visitor's clock may be ahead of ours

# The CRM's own judgement of a contact: nobody outside may write it, under whatever spelling.
FORBIDDEN = re.compile(
    r"(lead|quality|intent)score|assignedto|userid"
    r"|(is)?(email|phone)?(enriched|enrichment|verified|verification|merged?)"
    r"(at|by|data|status|source|score|result|into|from|to|with|history|ids?|fields?)?"
)
SHORT = 64  # characters of a name
NEVER = "is never accepted from the public side"
# MongoEngine takes an object with such a name for a document of its own, and then fails to read it.
RESERVED = ("_cls", "_ref")


def is_forbidden(name: str) -> bool:
    """Whether the field is the CRM's own, spelt `leadScore`, `lead_score` or `Lead-Score`."""
    return _is_forbidden_short(name) if len(name) <= SHORT else _is_forbidden(name)


def _is_forbidden(name: str) -> bool:
    return bool(FORBIDDEN.fullmatch(name.replace("_", "").replace("-", "").lower()))


# The same few names come with every event. Long ones are not kept: whoever sends them could fill the memory.
_is_forbidden_short = lru_cache(maxsize=1_024)(_is_forbidden)


def _storable(text: str | None) -> str | None:
    if text is None:
        return None
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("must not contain half of a surrogate pair")
    return text


def _none_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _one_line(text: str | None) -> str | None:
    if text is None:
        return None
    line = " ".join(text.split())
    if CONTROL.search(line):
        raise ValueError("must not contain control characters")
    return line


def _name(name: str) -> str:
    _storable(name)
    if is_forbidden(name):
        raise ValueError(NEVER)
    return _key(name)


def _key(name: str) -> str:
    _storable(name)
    if not 0 < len(name) <= ITEMS or name.startswith("$") or "." in name:
        raise ValueError(f"a name has 1 to {ITEMS} characters, no dot, and no $ at its start")
    if name in RESERVED:
        raise ValueError(f"must not be named {name}")
    return name


def _bounded(value: Any, depth: int = DEPTH) -> Any:
    if isinstance(value, str):
        if len(value) > TEXT_LENGTH:
            raise ValueError(f"must have at most {TEXT_LENGTH} characters")
        _storable(value)
    elif isinstance(value, int) and not -INT64 <= value < INT64:
        raise ValueError("must be a number of at most 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    elif isinstance(value, dict | list):
        _bounded_items(value, depth)
    return value


def _bounded_items(value: dict[str, Any] | list[Any], depth: int) -> None:
    if not depth:
        raise ValueError(f"must not be nested deeper than {DEPTH} levels")
    if len(value) > ITEMS:
        raise ValueError(f"must have at most {ITEMS} items")
    for name in value if isinstance(value, dict) else ():
        _key(name)
    for item in value.values() if isinstance(value, dict) else value:
        _bounded(item, depth - 1)


def _object_id(value: Any) -> ObjectId:
    try:
        return ObjectId(value if isinstance(value, str) else "")
    except InvalidId:
        raise ValueError("must be a 24-digit hexadecimal id") from None


def path_id(name: str, value: str) -> ObjectId:
    """An id out of a URL. Raises the HTTP error that names it."""
    try:
        return _object_id(value)
    except ValueError as error:
        raise UnprocessableEntity(f"{name}: {error}") from None


def _email(value: str) -> str:
    try:
        # Test domains are allowed: people try us out with them, and we do not send from here.
        return validate_email(value.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise ValueError("must be an e-mail address") from None


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("must be an http or https address") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http or https address")
    return value


def _moment(value: Any, info: ValidationInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("without a zone")
        moment = moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 time with its zone, like 2026-01-31T12:00:00Z") from None
    if moment > (info.context or {})["now"] + CLOCK_SKEW:
        raise ValueError("must not lie in the future (5 minutes of clock skew are accepted)")
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)  # what the store keeps


def _day(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        if len(value) == len("2026-01-31"):
            return moment.replace(tzinfo=UTC)
        if moment.tzinfo is None:
            raise ValueError("without a zone")
        moment = moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be a date like 2026-01-31, or an ISO 8601 time with its zone") from None
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)  # what the store keeps


def _title(text: str) -> str:
    if not (line := _one_line(text)):
        raise ValueError("must not be blank")
    return line


Storable = AfterValidator(_storable)
Blank = BeforeValidator(_none_if_blank)  # a blank text counts as not given

Id = Annotated[ObjectId, PlainValidator(_object_id)]
Moment = Annotated[datetime, PlainValidator(_moment)]  # aware, UTC; needs the context {"now": ...}
Day = Annotated[datetime, PlainValidator(_day)]  # aware, UTC; midnight when only a date was given
Label = Annotated[str, Field(min_length=1, max_length=128), Storable]  # ids and names that are required
Line = Annotated[str | None, Field(max_length=256), Storable, AfterValidator(_one_line), Blank]
Title = Annotated[str, Field(min_length=1, max_length=256), Storable, AfterValidator(_title)]
Text = Annotated[str | None, Field(max_length=4_096), Storable, Blank]
Email = Annotated[str, Field(max_length=320), Storable, AfterValidator(_email)]
WebAddress = Annotated[str, Field(max_length=4_096), Storable, AfterValidator(_web_address)]
Key = Annotated[str, AfterValidator(_key)]
Name = Annotated[str, AfterValidator(_name)]  # of something about a contact: not the CRM's own
Json = Annotated[Any, AfterValidator(_bounded)]
Properties = Annotated[dict[Key, Json], Field(max_length=ITEMS)]
PersonFields = Annotated[dict[Name, Json], Field(max_length=ITEMS)]
