"""Reactions to a filled-in form."""

from __future__ import annotations

from consumers import activity, named
from consumers.registry import Delivery, Jobs, hands_on, reacts_to
from models.form import Form
from schemas.form import FormSubmitted


@reacts_to(FormSubmitted)
@hands_on
def log_submission(event: FormSubmitted, delivery: Delivery) -> Jobs:
    """Enter it in the contact's timeline. Safe to run twice: entered once."""
    if event.contact_id is None:
        return []
    form = named.find(Form, event, event.form_id, "name")
    return activity.logged(
        delivery,
        workspace_id=event.workspace_id,
        contact_id=event.contact_id,
        kind="form_submitted",
        title=f"Submitted the form {form.name}" if form else "Submitted a form",
        details={"formId": event.form_id, "submissionId": event.submission_id},
    )
