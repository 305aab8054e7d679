"""`flask workspaces …`: the tenants, which pages may use their public API, whose visits are tracked, and
where they are.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import click

from models.workspace import ORIGIN, Workspace, normal_origin
from web.cli import named, output
from web.cli.command import Group, example, json_option
from web.cli.named import WORKSPACE

commands = Group("workspaces", help="The tenants.")


@commands.command("list", epilog=example("flask workspaces list"))
@json_option
def list_(as_json: bool) -> None:
    """List the workspaces."""
    rows = [_facts(workspace) for workspace in Workspace.objects.order_by("id")]
    if as_json:
        output.as_json(rows)
        return
    output.table(
        ["Id", "Name", ("Members", "right"), "Consent", "Origins"],
        ((row["id"], row["name"], row["members"], _consent(row), row["allowed_origins"]) for row in rows),
        empty="There is no workspace.",
    )


@commands.command("consent", epilog=example(f"flask workspaces consent {WORKSPACE} --needed"))
@click.argument("workspace_id", metavar="WORKSPACE")
@click.option("--needed/--not-needed", required=True, help="Whether only visitors who agreed are tracked.")
@json_option
def consent(workspace_id: str, needed: bool, as_json: bool) -> None:
    """Say whether visitors must agree before they are tracked."""
    _change(named.workspace(workspace_id), as_json, set__needs_consent=needed)


@commands.command("allow", epilog=example(f"flask workspaces allow {WORKSPACE} https://*.acme.test"))
@click.argument("workspace_id", metavar="WORKSPACE")
@click.argument("origin")
@json_option
def allow(workspace_id: str, origin: str, as_json: bool) -> None:
    """Let the pages of an origin use the public API. `*` stands for subdomains or, as `:*`, any port."""
    origin = _origin(origin)
    _change(named.workspace(workspace_id), as_json, add_to_set__allowed_origins=origin)


@commands.command("forbid", epilog=example(f"flask workspaces forbid {WORKSPACE} https://*.acme.test"))
@click.argument("workspace_id", metavar="WORKSPACE")
@click.argument("origin")
@json_option
def forbid(workspace_id: str, origin: str, as_json: bool) -> None:
    """Take an origin off the list."""
    workspace, origin = named.workspace(workspace_id), normal_origin(origin)
    if origin not in workspace.allowed_origins:
        raise click.ClickException(f"{origin} is not on the list of {workspace.name}")
    _change(workspace, as_json, pull__allowed_origins=origin)


@commands.command("zone", epilog=example(f"flask workspaces zone {WORKSPACE} Europe/Berlin"))
@click.argument("workspace_id", metavar="WORKSPACE")
@click.argument("zone", required=False)
@json_option
def zone_(workspace_id: str, zone: str | None, as_json: bool) -> None:
    """Say where it is 9 when daily jobs are to run at 9; without ZONE, as the cron table says."""
    if zone and zone not in available_timezones():
        raise click.ClickException(f"{zone} is no time zone; use one like Europe/Berlin")
    change = {"set__time_zone": zone} if zone else {"unset__time_zone": True}
    _change(named.workspace(workspace_id), as_json, **change)


def _origin(given: str) -> str:
    origin = normal_origin(given)
    if not ORIGIN.fullmatch(origin.replace("://*.", "://").removesuffix(":*")):
        raise click.ClickException(
            f"{given}: must be like https://www.acme.test, https://*.acme.test or http://localhost:*"
        )
    return origin


def _change(workspace: Workspace, as_json: bool, **change: Any) -> None:
    Workspace.objects(id=workspace.id).update_one(**change)
    facts = _facts(workspace.reload())
    if as_json:
        output.as_json(facts)
        return
    output.fields([*((name, facts[name]) for name in ("id", "name")), ("consent", _consent(facts))])
    output.fields([("origins", facts["allowed_origins"]), ("time zone", facts["time_zone"])])


def _consent(facts: dict[str, Any]) -> str:
    return "needed" if facts["needs_consent"] else "not needed"


def _facts(workspace: Workspace) -> dict[str, Any]:
    return {
        "id": str(workspace.id),
        "name": workspace.name,
        "members": len(workspace.members),
        "needs_consent": bool(workspace.needs_consent),
        "allowed_origins": list(workspace.allowed_origins),
        "time_zone": workspace.time_zone,
    }
