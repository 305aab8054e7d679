"""What brought about the events that another program tells us, by its own word.

So a chain of automations is counted through the receivers of webhooks, too.
"""

from __future__ import annotations

from typing import Annotated, Any

from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import UnprocessableEntity

from models.event import EventRecord
from schemas.event import Id


class Caused(BaseModel):
    """A body whose events another event brought about, as the webhook said that told of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)

    causation_id: Id | None = None
    correlation_id: Annotated[str | None, Field(max_length=100)] = None


def of(workspace_id: str, body: Caused) -> dict[str, Any]:
    """The cause as `publishers.events.publish_all` takes it. Raises 422. One query, or none.

    One automation deeper than that event, whatever lies between: nobody else counts what happens outside.
    """
    if body.causation_id is None:
        if body.correlation_id is not None:
            raise UnprocessableEntity("correlationId: needs the causationId that came with it")
        return {}
    known = EventRecord.objects(id=ObjectId(body.causation_id), workspace_id=ObjectId(workspace_id))
    event = known.only("correlation_id", "depth").first()
    if event is None:
        raise UnprocessableEntity("causationId: this workspace has no such event, or keeps it no longer")
    if body.correlation_id not in (None, event.correlation_id):
        raise UnprocessableEntity("correlationId: is not that of the event causationId")
    return {
        "correlation_id": event.correlation_id,
        "causation_id": body.causation_id,
        "depth": event.depth + 1,
    }
