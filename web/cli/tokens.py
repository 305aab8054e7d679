"""`flask tokens …`: who may use a workspace's private API."""

from __future__ import annotations

from typing import Any

import click

from models.api_token import ApiToken
from models.store import object_id
from web.cli import named, output
from web.cli.command import Group, example, json_option

commands = Group("tokens", help="Tokens of the workspaces' private API.")


@commands.command("create", epilog=example(f"flask tokens create {named.WORKSPACE} --name 'CRM backend'"))
@click.argument("workspace_id", metavar="WORKSPACE")
@click.option("--name", required=True, help="Who or what uses it.")
@json_option
def create(workspace_id: str, name: str, as_json: bool) -> None:
    """Create a token for a workspace, by its id. It is shown once."""
    workspace = named.workspace(workspace_id)
    token, text = ApiToken.create(workspace.id, name)
    if as_json:
        output.as_json({**_facts(token), "token": text})
        return
    click.echo(text)
    click.echo("Keep it now: only its hash is stored, so nobody can show it again.", err=True)


@commands.command("list", epilog=example("flask tokens list", f"flask tokens list {named.WORKSPACE}"))
@click.argument("workspace_id", metavar="WORKSPACE", required=False)
@json_option
def list_(workspace_id: str | None, as_json: bool) -> None:
    """List the tokens of a workspace, or of all."""
    chosen = {"workspace_id": named.workspace(workspace_id).id} if workspace_id else {}
    rows = [_facts(token) for token in ApiToken.objects(**chosen).order_by("id")]
    if as_json:
        output.as_json(rows)
        return
    output.table(
        ["Id", "Name", "Workspace", "Used", "State"],
        (
            (
                row["id"],
                row["name"],
                row["workspace_id"],
                output.ago(row["used_at"]),
                "revoked" if row["revoked_at"] else "valid",
            )
            for row in rows
        ),
        empty="There is no token.",
    )


@commands.command("revoke", epilog=example("flask tokens revoke 66f0c1d2e3a4b5c6d7e8f901"))
@click.argument("token_id", metavar="ID")
@json_option
def revoke(token_id: str, as_json: bool) -> None:
    """End a token at once, by its id."""
    token = ApiToken.objects(id=object_id(token_id)).first() if object_id(token_id) else None
    if token is None:
        raise click.ClickException(f"there is no token {token_id}; list them with: flask tokens list")
    revoked = token.revoke()
    if as_json:
        output.as_json({"id": str(token.id), "revoked": revoked})
    else:
        output.console().print(
            f"{token.name} is revoked." if revoked else f"{token.name} was revoked before."
        )


def _facts(token: ApiToken) -> dict[str, Any]:
    return {
        "id": str(token.id),
        "name": token.name,
        "workspace_id": str(token.workspace_id),
        "created_at": token.created_at,
        "used_at": token.used_at,
        "revoked_at": token.revoked_at,
    }
