"""A connection that was lost: who made it and the admins are told, once per episode."""

from __future__ import annotations

from bson import ObjectId

from models import store
from schemas.integration import IntegrationTokenFailed
from tests.reactions import RunJobs, happens, notices


def test_who_connected_it_and_the_admins_are_told_once(run_jobs: RunJobs) -> None:
    user = ObjectId()
    happens(
        IntegrationTokenFailed(
            workspace_id=str(ObjectId()),
            credential_id=str(ObjectId()),
            provider="google",
            reason="invalid_grant",
            failed_at=store.now(),
            user_id=str(user),
        ),
        run_jobs,
    )
    assert notices(user) == notices(None) == ["google refuses access (invalid_grant): connect it again"]
