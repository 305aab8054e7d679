"""Events of a form."""

from __future__ import annotations

from schemas.event import Event, Id, register


@register
class FormSubmitted(Event):
    type = "form.submitted"

    form_id: Id
    submission_id: Id
    contact_id: Id | None = None  # None: the form asked for no e-mail

    @property
    def key(self) -> str:
        return f"{self.type}:{self.submission_id}"
