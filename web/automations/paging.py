"""Pages of a list: `?limit=50&cursor=…`, answered with `next`, the cursor of the next page, or null."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from flask import Response, jsonify
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")


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
