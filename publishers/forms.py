"""What happens with a form. Safe to repeat."""

from __future__ import annotations

from models.form_submission import FormSubmission
from publishers.events import announce
from schemas.form import FormSubmitted


def submitted(submission: FormSubmission) -> None:
    announce(
        FormSubmitted(
            workspace_id=str(submission.workspace_id),
            form_id=str(submission.form_id),
            submission_id=str(submission.id),
            contact_id=str(submission.contact_id) if submission.contact_id else None,
        )
    )
