"""A day with mailboxes: the product's own jobs on a real store, and idle mailboxes on a real IMAP server.

`python -m bench.budget_mail <IMAP port> <hours> <address>…` on an empty Redis and store prints the bills.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import imapclient
from bson import ObjectId

import config
from bench import schedule
from bench.jobs import ticked
from bench.processes import Failed
from bench.simulation import Simulation
from jobs import email_sync
from jobs import schedule as product
from models import store
from models.contact import Contact
from models.email_account import EmailAccount, MailServer
from models.email_message import EmailMessage
from models.tick import DONE, Tick
from queues.cron_entry import CronEntry
from services import logs

HOUR = 3_600
SIGN_IN = "an idle mailbox"
MAILS = 5
MAIL = "From: grace@navy.test\r\nSubject: Hello\r\nMessage-ID: <{}@navy.test>\r\n\r\nShall we talk?\r\n"


def main() -> None:
    logs.configure("json", "CRITICAL")
    store.connect(config.settings().mongodb_uri.get_secret_value())
    store.ensure_indexes()
    port, hours, *addresses = sys.argv[1:]
    accounts = [first_sync(address, int(port)) for address in addresses]
    simulation = Simulation(1, entries())
    with simulation.running():
        bills = {"day, one worker, mailboxes": day(simulation, int(hours))}
        bills["new mail of a contact"] = new_mail(simulation, accounts[0])
    print(json.dumps(bills))


def first_sync(address: str, port: int) -> EmailAccount:
    server = MailServer(host="127.0.0.1", port=port, username=address, password=SIGN_IN, security="plain")
    account = EmailAccount(workspace_id=ObjectId(), user_id=ObjectId(), address=address, imap=server).save()
    if email_sync.sync(str(account.id))["outcome"] != "synced":
        raise Failed("the mailbox cannot be synced")
    return account


def entries() -> list[CronEntry]:
    """The default schedule: the jobs that there are, and no-ops in the place of the others."""
    real = {entry.name: entry for entry in product.table({})}
    return [real.get(entry.name, entry) for entry in schedule.ENTRIES]


def day(simulation: Simulation, hours: int) -> dict[str, Any]:
    """From midnight on, one worker and one scheduler; per day. Raises `Failed` if a mailbox was left out."""
    simulation.skip(hours * HOUR + 1)
    bill = simulation.bill()
    _check(hours)
    ran = Tick.objects(status__in=DONE).count() + len(ticked)  # the product's own jobs, and no-ops
    return {**bill.times(24 / hours), "hours": hours, "ticks": ran}


def _check(hours: int) -> None:
    """Each tick ran, the last one synced each mailbox, and none failed."""
    runs = Tick.objects(entry="email-sync", status__in=DONE).count()
    synced = EmailAccount.objects(synced_at__gt=store.now() - timedelta(minutes=4), failures=0).count()
    if runs < hours * 12 or synced < EmailAccount.objects.count():
        raise Failed(f"{runs} ticks of email-sync ran; {synced} mailboxes are synced")


def new_mail(simulation: Simulation, account: EmailAccount) -> dict[str, Any]:
    """What a mail that comes alone sets off; in the standard profile the mailboxes' jobs are part of that.

    The tick's own job is not in it.
    """
    Contact.upsert(account.workspace_id, "grace@navy.test", {})
    for number in range(MAILS):
        _deliver(account, number)
        email_sync.run(store.now().isoformat())
        simulation.skip(2)  # a mailbox has one job per tick, which is named by the second
    if EmailMessage.objects(unannounced__ne=True).count() < MAILS:
        raise Failed("the mail was not taken in")
    return simulation.bill().times(1 / MAILS)


def _deliver(account: EmailAccount, number: int) -> None:
    with imapclient.IMAPClient("127.0.0.1", account.imap.port, ssl=False) as client:
        client.login(account.address, SIGN_IN)
        client.append("INBOX", MAIL.format(number).encode())


if __name__ == "__main__":
    main()
