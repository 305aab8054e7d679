"""The catalogue as one JSON Schema document, for those who read our events in another language."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from schemas.event import Event, catalogue

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/$defs/{model}"


def json_schema() -> dict[str, Any]:
    """Every event in its newest version, as it travels: an envelope of type, version, ids and payload."""
    kinds = list(catalogue().values())
    _, payloads = models_json_schema([(kind, "validation") for kind in kinds], ref_template=REFERENCE)
    return {
        "$schema": DIALECT,
        "title": "Clianta events",
        "type": "object",
        "properties": {
            "type": {"enum": [kind.type for kind in kinds]},
            "version": {"type": "integer", "minimum": 1},
            "workspaceId": {"type": "string"},
            "correlationId": {
                "type": "string",
                "description": "shared by all that one request brought about",
            },
            "causationId": {
                "type": ["string", "null"],
                "description": "the event that brought this one about",
            },
            "payload": {"type": "object"},
        },
        "required": ["type", "version", "workspaceId", "correlationId", "payload"],
        "oneOf": [_one(kind) for kind in kinds],
        "$defs": payloads["$defs"],
    }


def text() -> str:
    """The document as a file holds it."""
    return json.dumps(json_schema(), indent=2) + "\n"


def _one(kind: type[Event]) -> dict[str, Any]:
    return {
        "properties": {
            "type": {"const": kind.type},
            "version": {"const": kind.version},
            "payload": {"$ref": REFERENCE.format(model=kind.__name__)},
        }
    }
