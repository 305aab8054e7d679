"""Ask Apollo for what it knows of the contacts, each once in 30 days.

`run` only fans out, so one workspace never holds up the others. What changes is published, and the reactions
score the contact anew. Rules and their boundaries: docs/contact-sync.md, tests/jobs/test_contact_sync.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any

import structlog
from bson import ObjectId
from pydantic.alias_generators import to_camel

import config
from models import contact_enrichment, store
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.contact_enrichment import Enriched
from models.credit_use import CreditUse
from models.notification import Notification
from publishers import contacts as publishing
from publishers import events
from queues.enqueue import NewJob, enqueue_many
from queues.names import INTEGRATIONS
from schemas.rules import EnrichmentRules
from services import apollo, enrichment

UNSPENT = (apollo.ApolloUnreachable, apollo.ApolloKeyRejected, apollo.ApolloBusy)
FRESH = timedelta(days=30)  # a miss counts as enriched
JOB = 50  # contacts of one job: five calls
A_DAY = 1_000  # contacts of a workspace that one tick enqueues; the rest is due again at the next one
AT_ONCE = 500  # jobs per round trip
CREDITS = 1  # of one match at most
SERVICE = "apollo"
HELD = "No contact is enriched until your rules are right"  # the defaults might cost what nobody agreed to

log = structlog.get_logger()


@dataclass
class SyncReport:
    """What one job did, as its result."""

    outcome: str = "synced"  # or "no credits", "key rejected", "rules invalid"
    asked: int = 0
    found: int = 0
    changed: int = 0


def run(tick: str) -> int:
    """Enqueue `sync` for the contacts that are due, 50 each; returns how many jobs. Without a key: none.

    Safe to run twice: a job has the id of its tick and of its first contact.
    """
    if not config.settings().apollo_api_key:
        log.info("🔎 Contact sync is off: APOLLO_API_KEY is not set")
        return 0
    planned = 0
    jobs = _jobs(datetime.fromisoformat(tick))
    while some := list(islice(jobs, AT_ONCE)):
        enqueue_many(some)
        planned += len(some)
    log.info(f"🔎 Contact sync started with {planned} jobs")
    return planned


def sync(workspace_id: str, contact_ids: list[str], tick: str) -> dict[str, Any]:
    """Enrich these contacts, if they are still due; returns a `SyncReport` as a dict.

    Seven store commands per call of ten contacts at most, none per contact. Safe to run twice and to die in:
    who was enriched is not due any more, what was changed is noted until it is published, and credits are
    taken before they are spent. Raises `ApolloBusy` or `ApolloError`, which are tried again.
    """
    report, workspace = SyncReport(), ObjectId(workspace_id)
    cutoff = datetime.fromisoformat(tick) - FRESH
    found = contact_enrichment.of(workspace, [ObjectId(each) for each in contact_ids])
    _publish(found)  # what a run that died has left
    due = [each for each in found if each.enriched_at is None or each.enriched_at < cutoff]
    rules = BusinessProfile.if_valid(workspace, EnrichmentRules, HELD)
    if rules is None:
        return asdict(SyncReport("rules invalid"))
    try:
        for start in range(0, len(due), apollo.MOST):
            if not _enrich(workspace, due[start : start + apollo.MOST], rules, report):
                report.outcome = "no credits"
                break
    except apollo.ApolloKeyRejected as error:
        report.outcome = "key rejected"
        _tell(workspace, error)
    log.info("✅ Contacts enriched", workspace_id=workspace_id, **asdict(report))
    return asdict(report)


def _jobs(tick: datetime) -> Iterator[NewJob]:
    due = groupby(contact_enrichment.due(tick - FRESH), key=lambda row: row[0])
    for workspace_id, rows in due:
        ids = (str(contact_id) for _, contact_id in islice(rows, A_DAY))
        while some := list(islice(ids, JOB)):
            yield NewJob(
                queue=INTEGRATIONS,
                func="jobs.contact_sync.sync",
                id=f"contact-sync-{tick:%Y%m%dT%H%M%S}-{some[0]}",
                kwargs={
                    "workspace_id": str(workspace_id),
                    "contact_ids": some,
                    "tick": tick.isoformat(),
                },
                description=f"enrich {len(some)} contacts",
                meta={"workspace_id": str(workspace_id)},
            )


def _enrich(
    workspace: ObjectId, contacts: Sequence[Contact], rules: EnrichmentRules, report: SyncReport
) -> bool:
    """One call; returns False when there are not enough credits for it."""
    now, most = store.now(), len(contacts) * CREDITS
    if not CreditUse.reserve(SERVICE, workspace, now, most, rules.monthly_credits):
        return False
    spent = most  # where no answer comes back, nobody knows
    try:
        answer = _ask(contacts)
        spent = answer.credits
    except UNSPENT:
        spent = 0
        raise
    finally:
        CreditUse.release(SERVICE, workspace, now, most - spent)
    results = [_result(contact, person) for contact, person in zip(contacts, answer.people, strict=True)]
    contact_enrichment.store(results, now)
    report.asked += len(contacts)
    report.found += sum(person is not None for person in answer.people)
    report.changed += _publish(contact_enrichment.of(workspace, [contact.id for contact in contacts]))
    if answer.requests_left == 0:
        raise apollo.ApolloBusy(apollo.PAUSE)
    return True


def _ask(contacts: Sequence[Contact]) -> apollo.Answer:
    queries = [
        apollo.Query(contact.email, contact.first_name, contact.last_name, contact.company)
        for contact in contacts
    ]
    return apollo.match(config.settings().apollo_url, _key(), queries)


def _key() -> str:
    """The API key; empty when it was taken away since the tick, which Apollo refuses."""
    key = config.settings().apollo_api_key
    return key.get_secret_value() if key else ""


def _result(contact: Contact, person: apollo.Found | None) -> Enriched:
    if person is None:
        return Enriched(contact)
    known = {name: contact[name] for name in person.fields}
    written = contact.enrichment.written if contact.enrichment else {}
    changes = enrichment.changes(known, written, person.fields)
    return Enriched(contact, changes, {"service": SERVICE, "id": person.id, "more": person.more})


def _publish(found: Sequence[Contact]) -> int:
    """Tell what enrichment changed, then forget that it is to be told; returns of how many contacts."""
    told = {each.id: each.enrichment.unannounced for each in found if each.enrichment}
    told = {contact_id: names for contact_id, names in told.items() if names}
    with events.batch():
        for contact in found:
            if names := told.get(contact.id):
                publishing.updated(contact, changed=[to_camel(name) for name in names])
    contact_enrichment.announced(told)
    return len(told)


def _tell(workspace: ObjectId, error: apollo.ApolloKeyRejected) -> None:
    """The admins, once for each key."""
    digest = hashlib.sha256(_key().encode()).hexdigest()[:16]
    log.error("❌ Apollo refuses the key: set another APOLLO_API_KEY", error=str(error))
    Notification.notify(
        workspace_id=workspace,
        user_id=None,
        kind="enrichment_stopped",
        message=f"Contacts are not enriched any more: {error}",
        key=f"apollo-key:{workspace}:{digest}",
    )
