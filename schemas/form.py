"""Events of a form."""

from __future__ import annotations

from schemas.event import Event, Id, register


@register
class FormSubmitted(Event):
    """A form was filled in."""

    type = "form.submitted"
    unique_by = ("submission_id",)
    about = ("contact_id",)

    form_id: Id
    submission_id: Id
    contact_id: Id | None = None  # None: the form asked for no e-mail
