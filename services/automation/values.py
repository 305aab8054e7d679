"""The plain values that conditions compare with and custom fields take: one message for each fault."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator

LONGEST_TEXT = 8_192  # characters
LONGEST_LIST = 100
INT64 = 2**63  # the store keeps 64 bits
RESERVED = ("_cls", "_ref")  # MongoEngine takes an object with such a name for a document of its own


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"must have at most {LONGEST_TEXT} characters")
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("must not contain half of a surrogate pair")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("must be a finite number")
    elif isinstance(value, int):
        if not -INT64 <= value < INT64:
            raise ValueError("must be a number of at most 64 bits")
    elif value is not None:
        raise ValueError("must be a text, a number, true, false or null")
    return value


def _scalar_or_list(value: Any) -> Any:
    if not isinstance(value, list):
        return _scalar(value)
    if len(value) > LONGEST_LIST:
        raise ValueError(f"must have at most {LONGEST_LIST} items")
    return [_scalar(item) for item in value]


def _name(name: str) -> str:
    if name in RESERVED or not name or name.startswith("$") or "." in name or "\0" in name:
        raise ValueError(f"a name has no dot, no $ at its start, and is not {' or '.join(RESERVED)}")
    return name


Scalar = Annotated[Any, PlainValidator(_scalar)]
ScalarOrList = Annotated[Any, PlainValidator(_scalar_or_list)]
Name = Annotated[str, Field(max_length=100), AfterValidator(_name)]
