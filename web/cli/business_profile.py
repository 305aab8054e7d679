"""`flask business-profile …`: the rules in which a workspace differs from the defaults."""

from __future__ import annotations

import json
from typing import Any

import click
from bson import ObjectId

from models.business_profile import BusinessProfile, InvalidRules
from web.cli import named, output
from web.cli.command import Group, example, json_option
from web.cli.named import WORKSPACE
from web.workspaces.business_profile import shape

commands = Group("business-profile", help="The rules by which the jobs handle a workspace.")


@commands.command("show", epilog=example(f"flask business-profile show {WORKSPACE}"))
@click.argument("workspace_id", metavar="WORKSPACE")
@json_option
def show(workspace_id: str, as_json: bool) -> None:
    """Show every rule, the workspace's own and the defaults."""
    _print(named.workspace(workspace_id).id, as_json)


@commands.command(
    "set",
    epilog=example(
        f"flask business-profile set {WORKSPACE} intent high=90 points.pageView=2",
        f"flask business-profile set {WORKSPACE} enrichment monthlyCredits=0",
    ),
)
@click.argument("workspace_id", metavar="WORKSPACE")
@click.argument("section")
@click.argument("fields", metavar="FIELD=VALUE...", nargs=-1, required=True)
@json_option
def set_(workspace_id: str, section: str, fields: tuple[str, ...], as_json: bool) -> None:
    """Change rules of a section. A value is JSON, or else a text."""
    owner = named.workspace(workspace_id).id
    rules = shape(owner)["rules"]
    for field in fields:
        name, is_given, value = field.partition("=")
        if not is_given:
            raise click.ClickException(f"{field}: must be FIELD=VALUE")
        _place(rules, [section, *name.split(".")], _value(value))
    _put(owner, rules, as_json)


@commands.command(
    "reset",
    epilog=example(
        f"flask business-profile reset {WORKSPACE} intent", f"flask business-profile reset {WORKSPACE}"
    ),
)
@click.argument("workspace_id", metavar="WORKSPACE")
@click.argument("section", required=False)
@json_option
def reset(workspace_id: str, section: str | None, as_json: bool) -> None:
    """Return to the defaults of a section, or of all of them."""
    owner = named.workspace(workspace_id).id
    own = shape(owner)["rules"]
    if section and section not in own:
        raise click.ClickException(f"{section}: the workspace has no rules of its own there")
    _put(owner, {name: rules for name, rules in own.items() if section and name != section}, as_json)


def _place(rules: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value at the end of a path of names."""
    for place, name in enumerate(path[:-1]):
        rules = rules.setdefault(name, {})
        if not isinstance(rules, dict):
            raise click.ClickException(f"{'.'.join(path[: place + 1])}: holds no fields")
    rules[path[-1]] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(workspace_id: ObjectId, rules: dict[str, Any], as_json: bool) -> None:
    try:
        BusinessProfile.put(workspace_id, rules)
    except InvalidRules as error:
        raise click.ClickException(str(error)) from None
    _print(workspace_id, as_json)


def _print(workspace_id: ObjectId, as_json: bool) -> None:
    shown = shape(workspace_id)
    if as_json:
        output.as_json(shown)
        return
    own = set(_flat(shown["rules"]))
    rows = [
        (name, json.dumps(value, ensure_ascii=False), "its own" if name in own else "default")
        for name, value in _flat(shown["inForce"]).items()
    ]
    output.table(["Rule", "Value", "From"], rows, empty="There are no rules.")
    for problem in shown["problems"]:
        click.echo(f"not in force: {output.harmless(problem)}", err=True)


def _flat(rules: dict[str, Any], above: str = "") -> dict[str, Any]:
    """`{"intent": {"high": 70}}` as `{"intent.high": 70}`."""
    found: dict[str, Any] = {}
    for name, value in rules.items():
        inner = _flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
        found.update(inner)
    return found
