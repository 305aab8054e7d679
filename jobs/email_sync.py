"""Pull new mail from every mailbox that is due, so that a slow or broken one never holds up the others.

Each has a job of its own. Where Redis bills each command, the tick's job goes round the mailboxes itself:
those whose last sync went well, briefly each, and for a minute in all. What takes longer has its own job.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from rq.timeouts import BaseTimeoutException

import config
from jobs import mailbox_sync
from models import store
from models.email_account import DueMailbox, EmailAccount
from models.lease import Lease
from queues.enqueue import NewJob, enqueue_many
from queues.names import EMAIL_SYNC

DUE_LIMIT = 5_000  # mailboxes per tick; the rest is due again at the next one
ROUND = 60.0  # seconds after which a round begins with no mailbox more
# The most that one mailbox can hold up a round, if its server takes as long to answer at all.
BRIEF = mailbox_sync.Patience(seconds=20.0, hang_up_after=30.0)

log = structlog.get_logger()


def run(tick: str) -> int:
    """Sync what is due, or enqueue one `sync` per mailbox; returns how many jobs.

    Safe to run twice: a job per mailbox and tick, and what was synced is not due at this tick any more.
    """
    due = EmailAccount.due(store.now(), limit=DUE_LIMIT)
    log.info(f"📧 Email sync started for {len(due)} accounts")
    if not config.settings().is_frugal:
        return _enqueue(due, tick)
    quick = _quick(due)
    enqueued = _enqueue([mailbox for mailbox in due if mailbox not in quick], tick)
    return enqueued + _enqueue(_go_round(quick, tick), tick)


def sync(account_id: str, tick: str | None = None) -> dict[str, Any]:
    """The job of one mailbox; see `mailbox_sync.sync`. Returns its report as a dict."""
    return asdict(mailbox_sync.sync(account_id, tick))


def _quick(due: Sequence[DueMailbox]) -> list[DueMailbox]:
    """Those that nobody is at, that killed nobody, and whose last sync went through."""
    proven = {mailbox_sync.lease_of(mailbox.id): mailbox for mailbox in due if mailbox.is_proven}
    left = Lease.left(proven) if proven else set()
    return [mailbox for name, mailbox in proven.items() if name not in left]


def _go_round(mailboxes: Iterable[DueMailbox], tick: str) -> list[DueMailbox]:
    """Sync one after the other; returns those that need jobs of their own."""
    end = time.monotonic() + ROUND
    return [mailbox for mailbox in mailboxes if time.monotonic() >= end or not _is_done(mailbox, tick)]


def _is_done(mailbox: DueMailbox, tick: str) -> bool:
    try:
        report = mailbox_sync.sync(str(mailbox.id), tick, BRIEF)
    except BaseTimeoutException:  # of this job, which is to end
        raise
    except Exception as error:  # noqa: BLE001 - its own job does it again, and tells why it fails
        log.warning("⚠️  mailbox gets its own job", account_id=str(mailbox.id), error=type(error).__name__)
        return False
    return report.outcome != "more to come"


def _enqueue(mailboxes: Iterable[DueMailbox], tick: str) -> int:
    return enqueue_many([_sync_job(mailbox, tick) for mailbox in mailboxes])


def _sync_job(mailbox: DueMailbox, tick: str) -> NewJob:
    return NewJob(
        queue=EMAIL_SYNC,
        func="jobs.email_sync.sync",
        id=f"mailbox-{mailbox.id}-{datetime.fromisoformat(tick):%Y%m%dT%H%M%S}",
        kwargs={"account_id": str(mailbox.id), "tick": tick},
        description=f"sync mailbox {mailbox.id}",
        meta={"workspace_id": str(mailbox.workspace_id)},
    )
