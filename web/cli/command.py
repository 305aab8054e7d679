"""What every command has in common: --json, one-line errors, help with an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from jobs.schedule import ArchivedJob, UnknownJob
from models.store import StoreError
from queues.connection import RedisError
from queues.dead_letters import NoDeadLetter
from queues.job_state import NoJob
from queues.names import UnknownQueue

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

_REDIS_AWAY = "Redis does not answer: start it, or correct REDIS_URL"
_STORE_AWAY = "the document store does not answer: start it, or correct MONGODB_URI"
_OURS = (ArchivedJob, UnknownJob, NoDeadLetter, NoJob, UnknownQueue)


class OneLineErrors(click.Command):
    """Foreseeable errors are one line on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _OURS as error:
            raise click.ClickException(str(error)) from None
        except (RedisError, StoreError) as error:
            advice = _REDIS_AWAY if isinstance(error, RedisError) else _STORE_AWAY
            raise click.ClickException(f"{advice} ({type(error).__name__})") from None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        if self.epilog:
            with formatter.section("Example" if "\n" not in self.epilog else "Examples"):
                for line in self.epilog.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line.strip()}\n")


class Command(OneLineErrors):
    """A command of ours."""


class Group(OneLineErrors, AppGroup):
    """A group of such commands; each runs inside the app."""

    command_class = Command


def example(*lines: str) -> str:
    """The epilog of a command: what a user would type, a line each."""
    return "\n".join(lines)


def single(name: str, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator for a command outside of a group."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        return Group().command(name, **options)(function)

    return decorate
