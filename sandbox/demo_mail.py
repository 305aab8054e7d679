"""The demo's mailbox on the sandbox's mail server: python -m sandbox.demo_mail IMAP_PORT SMTP_PORT

Points the demo workspace's mailbox at the server's ports of this run, sets up its welcome e-mail the first
time, and puts some mail into the inbox, so that a newcomer sees a sync with something in it.
"""

from __future__ import annotations

import argparse
import smtplib
from email.message import EmailMessage as OutgoingMessage
from email.utils import format_datetime

from bson import ObjectId

import config
from models import store
from models.email_account import EmailAccount, MailServer
from models.workspace import WelcomeEmail, Workspace
from web import demo_data

ADDRESS = "demo@acme.test"
PASSWORD = "demo-mailbox"
USERS = {ADDRESS: PASSWORD}
ACCOUNT_ID = ObjectId("000000000000000000acce04")
INBOX = (
    ("grace@hopper-navigation.test", "Grace Holm", "Navigation for forty ships", "Can we talk on Thursday?"),
    ("tomas@brightmill.test", "Tomáš Novák", "Re: Your offer", "Looks good. One question about delivery."),
    ("amara@saltandpine.test", "Amara Eze", "Out of office", "I am back on Monday."),
    ("stranger@elsewhere.test", "A Stranger", "Partnership", "We would like to be your partner."),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("imap_port", type=int)
    parser.add_argument("smtp_port", type=int)
    ports = parser.parse_args()
    store.connect(config.settings().mongodb_uri.get_secret_value())
    if _point_mailbox_at(ports.imap_port, ports.smtp_port):
        _deliver(ports.smtp_port)
    store.disconnect()


def _point_mailbox_at(imap_port: int, smtp_port: int) -> bool:
    """The server's ports differ from run to run; returns whether the mailbox is new."""
    there = {"host": "127.0.0.1", "username": ADDRESS, "password": PASSWORD, "security": "plain"}
    account = EmailAccount.objects(id=ACCOUNT_ID).first()
    is_new = account is None
    account = account or EmailAccount(
        id=ACCOUNT_ID,
        workspace_id=demo_data.WORKSPACE_ID,
        user_id=ObjectId(demo_data.MEMBERS[0][0]),
        address=ADDRESS,
    )
    account.imap = MailServer(port=imap_port, **there)
    account.smtp = MailServer(port=smtp_port, **there)
    account.next_sync_at = store.now()
    account.save()
    welcome = WelcomeEmail(
        account_id=ACCOUNT_ID,
        subject="Welcome, {{contact.firstName|and hello}}",
        body="Good to have you with us.\n\nThe people at Acme",
    )
    Workspace.objects(id=demo_data.WORKSPACE_ID, welcome_email=None).update_one(set__welcome_email=welcome)
    return is_new


def _deliver(smtp_port: int) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_port, timeout=10) as server:
        for number, (address, name, subject, text) in enumerate(INBOX):
            message = OutgoingMessage()
            message["From"] = f"{name} <{address}>"
            message["To"] = ADDRESS
            message["Subject"] = subject
            message["Date"] = format_datetime(store.now())
            message["Message-ID"] = f"<demo-{number}@{address.rpartition('@')[2]}>"
            message.set_content(text)
            server.send_message(message)


if __name__ == "__main__":
    main()
