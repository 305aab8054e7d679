"""Events of a demo."""

from __future__ import annotations

from schemas.event import Event, Id, register


@register
class DemoRequested(Event):
    """Somebody asked to be shown the product."""

    type = "demo.requested"
    unique_by = ("request_id",)
    about = ("contact_id",)

    request_id: Id  # the form submission or the activity that holds the request
    contact_id: Id
