"""Mail of automations whose sending ended in doubt, so that the action failed: it turned up after all."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.actions import step
from models.trigger_run import DONE, TriggerRun
from publishers import workflows

TURNED_UP = "sent: the mail turned up in the mailbox"


def turned_up(keys: Iterable[str]) -> None:
    """The actions whose mails have these keys are done, and so may be their runs. Safe to run twice.

    Keys of other mail, like a welcome, are left out.
    """
    for run_id, place in filter(None, map(step.of_key, keys)):
        TriggerRun.end_step(run_id, place, DONE, note=TURNED_UP)
        workflows.settle(run_id)
