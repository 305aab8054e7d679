"""The catalogue in other forms: they say what the classes say."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from schemas import export
from schemas.event import catalogue
from tests import events_docs


def test_the_committed_schema_is_that_of_the_classes() -> None:
    assert events_docs.SCHEMA.read_text() == export.text(), "run: python -m tests.events_docs"


def test_the_table_of_the_page_is_that_of_the_classes() -> None:
    assert events_docs.PAGE.read_text() == events_docs.page(), "run: python -m tests.events_docs"
    assert all(f"| `{name}` |" in events_docs.table() for name in catalogue())


def test_the_schema_has_one_alternative_per_event() -> None:
    document = export.json_schema()
    found = {one["properties"]["type"]["const"]: one["properties"] for one in document["oneOf"]}

    assert found.keys() == catalogue().keys() == set(document["properties"]["type"]["enum"])
    for name, kind in catalogue().items():
        assert found[name]["version"]["const"] == kind.version
        assert found[name]["payload"]["$ref"] == f"#/$defs/{kind.__name__}"


@pytest.mark.parametrize("kind", catalogue().values(), ids=lambda kind: str(kind.type))
def test_the_schema_of_a_payload_has_its_fields_and_refuses_others(kind: Any) -> None:
    payload = export.json_schema()["$defs"][kind.__name__]

    assert payload["properties"].keys() == {field.alias for field in kind.model_fields.values()}
    assert payload["additionalProperties"] is False
    assert payload["description"] == " ".join(kind.__doc__.split())


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    document = export.json_schema()
    references = re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(document))

    assert set(references) == document["$defs"].keys()
