"""Pages of a list: `?limit=50&cursor=…`, answered with `next`, the cursor of the next page, or null."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import UnprocessableEntity

T = TypeVar("T")

NO_CURSOR = "cursor: must be the `next` of another page"
MILLISECONDS = r"-?\d{1,13}"  # since 1970, from 1653 to 2286
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Paging(BaseModel):
    """The query of a list; its subclasses add filters."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str | None, Field(max_length=100)] = None


def answer(
    found: Sequence[T], limit: int, shape: Callable[[T], object], cursor: Callable[[T], str]
) -> Response:
    """One page of `found`, which has one item more than the page when there is another page."""
    page = found[:limit]
    following = cursor(page[-1]) if len(found) > limit else None
    return jsonify(success=True, data=[shape(item) for item in page], next=following)


def cursor(at: datetime, item_id: object) -> str:
    """That of an item of a list in the order of time, then of ids."""
    return f"{(at - EPOCH) // MILLISECOND}.{item_id}"


def place(cursor: str | None, ids: str) -> tuple[datetime, str] | None:
    """The time and id after which the page begins; `ids`: what an id looks like, as a regular expression.

    Raises 422 for what `cursor` never made.
    """
    if cursor is None:
        return None
    match = re.fullmatch(rf"({MILLISECONDS})\.({ids})", cursor, re.ASCII)
    if not match:
        raise UnprocessableEntity(NO_CURSOR)
    return EPOCH + int(match[1]) * MILLISECOND, match[2]
