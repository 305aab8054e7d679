"""The default schedule of the product, with no-ops for jobs: 786 ticks a day."""

from __future__ import annotations

from queues import names
from queues.cron_entry import CronEntry

LINES = (
    ("email-sync", "*/5 * * * *", names.EMAIL_SYNC),
    ("sequence-email", "*/5 * * * *", names.EMAIL_SYNC),
    ("google-sheet-form-sync", "*/10 * * * *", names.INTEGRATIONS),
    ("meeting-prep", "*/30 * * * *", names.AI_JOBS),
    ("lifecycle-progression", "0 */2 * * *", names.ANALYTICS),
    ("contact-sync", "0 2 * * *", names.INTEGRATIONS),
    ("intent-score-decay", "0 2 * * *", names.ANALYTICS),
    ("token-expiration-check", "0 3 * * *", names.INTEGRATIONS),
    ("daily-insight", "0 8 * * *", names.AI_JOBS),
    ("lead-recycling", "0 9 * * *", names.ANALYTICS),
    ("stale-deal-alert", "0 9 * * *", names.ANALYTICS),
)
TICKS = {24: 2 * 288 + 144 + 48 + 12 + 6, 6: 2 * 72 + 36 + 12 + 3 + 3}  # by hours since midnight
ENTRIES = tuple(CronEntry(name, cron, "bench.jobs.tick", queue, name) for name, cron, queue in LINES)
NEVER = (CronEntry("never", "0 0 29 2 *", "bench.jobs.tick", names.ANALYTICS, "due on leap days only"),)
EVERY_FIVE_MINUTES = ENTRIES[:2]
