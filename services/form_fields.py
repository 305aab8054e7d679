"""Which field of a form means what to the CRM, whatever its maker called it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

EMAIL = frozenset({"email", "mail", "emailaddress"})
# What people call the fields of a contact, normalised: lower case, letters and digits only.
NAMES = {
    "first_name": ("firstname", "forename", "givenname"),
    "last_name": ("lastname", "surname", "familyname"),
    "company": ("company", "companyname", "organization", "organisation"),
    "job_title": ("jobtitle", "title", "position"),
    "phone": ("phone", "phonenumber", "telephone", "tel", "mobile"),
}
MEANING = {name: field for field, names in NAMES.items() for name in names}
LONGEST = 256  # characters; a longer text stays with the submission alone
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # so does one that could steer a terminal or break a header
FULL_NAME = ("name", "fullname", "yourname")


def normalise(name: str) -> str:
    """`E-Mail`, `e_mail` and `email` are one name."""
    return re.sub(r"[\W_]+", "", name).lower()


def email_field(fields: Mapping[str, Any]) -> str | None:
    """The name of the field that holds the e-mail address: the first that is filled in."""
    return next((name for name, value in fields.items() if value and normalise(name) in EMAIL), None)


def contact_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """What a submission says about the contact, by the contact's stored names. Only texts count."""
    lines = {name: " ".join(value.split()) for name, value in fields.items() if isinstance(value, str)}
    texts = {normalise(name): line for name, line in lines.items() if _fits(line)}
    found = {MEANING[name]: text for name, text in texts.items() if name in MEANING}
    whole = next((texts[name] for name in FULL_NAME if name in texts), "")
    first, _, last = whole.partition(" ")
    named = {"first_name": first, "last_name": last.strip()}
    return {name: text for name, text in named.items() if text} | found


def _fits(line: str) -> bool:
    return 0 < len(line) <= LONGEST and not CONTROL.search(line)
