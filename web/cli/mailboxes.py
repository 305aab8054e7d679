"""`flask mailboxes …`: the mailboxes that are synced, and the way back for one that was locked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from models.email_account import EmailAccount, MailServer
from models.fields import Undecipherable
from models.workspace import Workspace
from services.mail import imap, smtp
from services.mail.errors import MailError
from services.mail.settings import ImapSettings, Security, SmtpSettings
from web.cli import output
from web.cli.command import Group, example, json_option

STATUSES = ("active", "locked", "disabled")

commands = Group("mailboxes", help="The mailboxes that are synced.")


@commands.command("list", epilog=example("flask mailboxes list", "flask mailboxes list --status locked"))
@click.option("--status", type=click.Choice(STATUSES), help="Only those.")
@click.option("--limit", default=50, show_default=True, help="Mailboxes shown at most.")
@json_option
def list_(status: str | None, limit: int, as_json: bool) -> None:
    """List the mailboxes: the locked ones first, then those that failed."""
    chosen = EmailAccount.objects(**({"status": status} if status else {}))
    rows = [_facts(account) for account in chosen.order_by("-status", "-next_sync_at").limit(limit)]
    if as_json:
        output.as_json(rows)
        return
    output.table(
        ["Mailbox", "Status", "Synced", ("Failures", "right"), "Why"],
        (
            (
                row["address"],
                row["status"],
                output.ago(row["synced_at"]),
                row["failures"],
                row["reason"] or "",
            )
            for row in rows
        ),
        empty="No mailbox is synced.",
    )


@commands.command(
    "unlock",
    epilog=example("flask mailboxes unlock ada@acme.test", "flask mailboxes unlock ada@acme.test -p"),
)
@click.argument("email", metavar="EMAIL")
@click.option("-p", "--ask-password", is_flag=True, help="Ask for a new password and store it first.")
@json_option
def unlock(email: str, ask_password: bool, as_json: bool) -> None:
    """Use a locked mailbox again, from the next tick on."""
    accounts = _accounts(email)
    password = click.prompt("New password", hide_input=True, err=True) if ask_password else None
    unlocked = 0
    for account in accounts:
        if password:
            account.store_password(password)
        unlocked += account.unlock()
    if as_json:
        output.as_json({"unlocked": unlocked, "password_stored": bool(password)})
        return
    output.console().print(
        f"{email} is unlocked." if unlocked else f"{email} was not locked.",
        "Its new password is stored." if password else "",
    )


@commands.command("check", epilog=example("flask mailboxes check ada@acme.test"))
@click.argument("email", metavar="EMAIL")
@json_option
def check(email: str, as_json: bool) -> None:
    """Sign in to a mailbox as the sync and the sending do; exit code 1 when one cannot."""
    accounts = _accounts(email)
    with output.progress(f"Signing in to {email} …"):
        results = [
            {"server": name, "host": f"{server.host}:{server.port}", "problem": _problem(sign_in, server)}
            for account in accounts
            for name, server, sign_in in (("IMAP", account.imap, _imap), ("SMTP", account.smtp, _smtp))
            if server
        ]
    if as_json:
        output.as_json(results)
    else:
        output.table(
            ["Server", "Host", "Result"],
            ((r["server"], r["host"], r["problem"] or "signed in") for r in results),
            empty="The mailbox has no server.",
        )
    if any(result["problem"] for result in results):
        raise click.exceptions.Exit(1)


def _accounts(email: str) -> list[EmailAccount]:
    """In every workspace; named one by one, since the index on addresses begins with the workspace."""
    workspaces = list(Workspace.objects.scalar("id"))
    found = list(EmailAccount.objects(workspace_id__in=workspaces, address=email.strip().lower()))
    if not found:
        raise click.ClickException(
            f"no workspace has a mailbox {email}; list them with: flask mailboxes list"
        )
    return found


def _facts(account: EmailAccount) -> dict[str, Any]:
    return {
        "id": str(account.id),
        "workspace_id": str(account.workspace_id),
        "address": account.address,
        "status": account.status,
        "reason": account.status_reason,
        "failures": account.failures,
        "synced_at": account.synced_at,
        "next_sync_at": account.next_sync_at if account.status == "active" else None,
        "left_out": len(account.left_out),
    }


def _problem(sign_in: Callable[[MailServer], None], server: MailServer) -> str | None:
    try:
        sign_in(server)
    except (MailError, Undecipherable) as error:
        return str(error)
    return None


def _imap(server: MailServer) -> None:
    with imap.connect(ImapSettings(*_settings(server))) as mailbox:
        mailbox.folders()


def _smtp(server: MailServer) -> None:
    smtp.check(SmtpSettings(*_settings(server)))


def _settings(server: MailServer) -> tuple[str, int, str, str, Security]:
    return server.host, server.port, server.username, str(server.password), Security(server.security)
