"""What an operator names by its id, in whatever group of commands."""

from __future__ import annotations

import click

from models.store import object_id
from models.workspace import Workspace

WORKSPACE = "000000000000000000acce01"  # the demo's, for examples


def workspace(workspace_id: str) -> Workspace:
    """Raises `ClickException` when there is none."""
    known = object_id(workspace_id)
    found: Workspace | None = Workspace.objects(id=known).first() if known else None
    if found is None:
        raise click.ClickException(
            f"there is no workspace {workspace_id}; list them with: flask workspaces list"
        )
    return found
