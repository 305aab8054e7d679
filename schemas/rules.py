"""What a workspace may set about its automations: pydantic models, one per section of its BusinessProfile.

What is left out has its default, so a section holds only what differs. An unknown name or a number that
makes no sense is refused by the name of its field.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from schemas.contact import Grade
from schemas.event import Id

Points = Annotated[int, Field(ge=0, le=1_000)]
Kind = Annotated[str, Field(min_length=1, max_length=100)]  # of a timeline entry


class Rules(BaseModel):
    """A section. Python names in the store, camelCase accepted. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    section: ClassVar[str]


class IntentPoints(BaseModel):
    """How much each kind of event adds to the intent score; 0: it is not counted."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    page_view: Points = 5
    email_open: Points = 3
    link_click: Points = 10
    form_submission: Points = 20
    demo_request: Points = 50


class IntentRules(Rules):
    """How interest is counted, and how it fades."""

    section = "intent"

    points: IntentPoints = IntentPoints()
    decay_per_day: Annotated[int, Field(ge=1, le=1_000)] = 2
    remove_below: Annotated[int, Field(ge=1, le=1_000)] = 10  # a signal that decayed below is removed
    medium: Annotated[int, Field(ge=1, le=100_000)] = 40  # least score of the level
    high: Annotated[int, Field(ge=1, le=100_000)] = 70

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        if self.medium >= self.high:
            raise ValueError("medium: must be less than high")
        return self


class EnrichmentRules(Rules):
    """How much may be spent on what other services know of contacts."""

    section = "enrichment"

    monthly_credits: Annotated[int, Field(ge=0, le=10_000_000)] = 1_000  # 0: contacts are not enriched


class RecyclingRules(Rules):
    """When a lost lead that shows interest is worked once more, and in which sequence."""

    section = "recycling"

    lost_days: Annotated[int, Field(ge=1, le=3_650)] = 90  # for more than so many
    interest_days: Annotated[int, Field(ge=1, le=365)] = 30  # interest within the last so many
    sequence_id: Id | None = None  # the re-engagement sequence; None: no enrolment


class LifecycleRules(Rules):
    """What a contact needs for its next step. An empty list is refused: it never means any."""

    section = "lifecycle"

    mql_grade: Grade = "B"  # at least
    mql_intent_over: Annotated[int, Field(ge=0, le=100_000)] = 50  # exactly as many are not enough
    mql_forms: Annotated[list[Id] | None, Field(min_length=1, max_length=100)] = None  # None: any form counts
    sql_grade: Grade = "A"
    sql_activities: Annotated[list[Kind], Field(min_length=1, max_length=20)] = ["call", "meeting"]

    @property
    def mql_grades(self) -> tuple[Grade, ...]:
        return _at_least(self.mql_grade)

    @property
    def sql_grades(self) -> tuple[Grade, ...]:
        return _at_least(self.sql_grade)


class StaleDealRules(Rules):
    """After how many days without activity an open deal is stale, and then at risk."""

    section = "stale_deals"

    stale_days: Annotated[int, Field(ge=1, le=3_650)] = 7
    at_risk_days: Annotated[int, Field(ge=2, le=3_650)] = 30

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        if self.stale_days >= self.at_risk_days:
            raise ValueError("staleDays: must be less than atRiskDays")
        return self


def _at_least(grade: Grade) -> tuple[Grade, ...]:
    grades: tuple[Grade, ...] = get_args(Grade)  # the best first
    return grades[: grades.index(grade) + 1]
