"""The member that an action names: who has left the workspace is given nothing to do, and no contact."""

from __future__ import annotations

from bson import ObjectId

from models.workspace import Workspace


class NoMember(Exception):
    """The automation names somebody who has left: choose another, or let them in again and requeue."""

    permanent = True


def check(workspace_id: ObjectId, user_id: str | None) -> None:
    """Raises `NoMember` when somebody is named who is no active member of the workspace."""
    if user_id and not Workspace.has_member(workspace_id, ObjectId(user_id)):
        raise NoMember(f"no active member {user_id} in this workspace: choose another in the automation")


def obstacle(workspace_id: ObjectId, user_id: str | None) -> str | None:
    """As `check`, as a reason; None: nothing is in the way."""
    try:
        check(workspace_id, user_id)
    except NoMember as error:
        return str(error)
    return None
