"""Which of many contacts have something: one query, whatever their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId
from mongoengine import Document


def of_contacts(
    kind: type[Document], contact_ids: Sequence[ObjectId], counts: Mapping[str, Any]
) -> set[ObjectId]:
    """Those of the contacts that have a document that counts, by this filter.

    The contacts are matched first, by themselves: so each store finds them by its index.
    """
    rows = kind._get_collection().aggregate(
        [
            {"$match": {"contact_id": {"$in": list(contact_ids)}}},
            {"$match": counts},
            {"$group": {"_id": "$contact_id"}},
        ],
        batchSize=len(contact_ids) + 1,
    )
    return {row["_id"] for row in rows}
