"""The operators' commands: `flask …`. One file per group; each command takes --json and --help."""

from __future__ import annotations

from flask import Flask

from web.cli import (
    business_profile,
    contact_mail,
    contacts,
    cron_change,
    db,
    db_expire,
    demo,
    dlq,
    env,
    events,
    events_replay,
    job_show,
    mailboxes,
    queues,
    tokens,
    workspaces,
)

__all__ = ["contact_mail", "db_expire", "events_replay", "init_app"]  # the former add to the groups of others


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (
        business_profile.commands,
        contacts.commands,
        cron_change.commands,
        db.commands,
        demo.commands,
        dlq.commands,
        env.show,
        events.commands,
        job_show.commands,
        mailboxes.commands,
        queues.commands,
        tokens.commands,
        workspaces.commands,
    ):
        app.cli.add_command(command)
