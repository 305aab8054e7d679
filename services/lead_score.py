"""The lead score: how promising a contact is by what is known of it. A pure function of its fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Grade = Literal["A", "B", "C", "D"]

VERSION = 1  # raise it when a rule or a number changes

# Addresses of private people; the company is unknown from them.
FREE_MAIL = frozenset(
    [
        *("gmail.com", "googlemail.com", "yahoo.com", "outlook.com", "hotmail.com", "live.com", "icloud.com"),
        *("aol.com", "gmx.de", "gmx.net", "web.de", "proton.me", "protonmail.com", "mail.ru"),
    ]
)
# Points by seniority, highest first: the first whose word stands in the job title counts.
SENIORITY = (
    (25, "decision maker", ("chief", "ceo", "cto", "cfo", "coo", "cmo", "founder", "owner", "president")),
    (20, "director level", ("vp", "vice", "director", "head")),
    (10, "manager level", ("manager", "lead")),
)
# Titles that hold a word of a higher level than their own.
SAME_AS = {"vice president": "vp", "product owner": "product manager"}
SOURCES = {"form": 15, "api": 5, "manual": 5}  # somebody who came by a form asked for contact
GRADES: tuple[tuple[int, Grade], ...] = (
    (70, "A"),
    (50, "B"),
    (30, "C"),
    (0, "D"),
)  # least score of each grade


@dataclass(frozen=True)
class LeadScore:
    value: int  # 0 to 100
    grade: Grade  # A > B > C > D
    reasons: list[str]  # like "+20 business e-mail address"
    version: int = VERSION


def score(
    *,
    email: str = "",
    first_name: str | None = None,
    last_name: str | None = None,
    company: str | None = None,
    job_title: str | None = None,
    phone: str | None = None,
    source: str | None = None,
) -> LeadScore:
    """Score a contact from 0 to 100, with the reasons."""
    points = [
        _address(email),
        (10, "full name" if first_name and last_name else ""),
        (15, "company known" if company else ""),
        (10, "phone number" if phone else ""),
        _seniority(job_title or ""),
        (SOURCES.get(source or "", 0), f"came by {source}" if source in SOURCES else ""),
    ]
    counted = [(number, reason) for number, reason in points if reason]
    value = min(100, sum(number for number, _ in counted))
    return LeadScore(value, grade_of(value), [f"+{number} {reason}" for number, reason in counted])


def grade_of(value: int) -> Grade:
    """The grade of a score."""
    return next(letter for least, letter in GRADES if value >= least)


def _address(email: str) -> tuple[int, str]:
    _name, at, domain = email.strip().lower().rpartition("@")
    if not at:
        return 0, ""
    return (5, "private e-mail address") if domain in FREE_MAIL else (20, "business e-mail address")


def _seniority(job_title: str) -> tuple[int, str]:
    title = job_title.lower()
    for longer, shorter in SAME_AS.items():
        title = title.replace(longer, shorter)
    words = set(re.findall(r"\w+", title))
    for points, reason, signs in SENIORITY:
        if words.intersection(signs):
            return points, reason
    return (5, "job title known") if words else (0, "")
