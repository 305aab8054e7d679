"""A job that dies at any store command or enqueueing, and runs again, does what it does when it lives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobs import lifecycle_progression
from models.business_profile import BusinessProfile
from models.contact import Contact
from models.event import EventRecord
from models.lifecycle_step import LifecycleStep
from models.once import Once
from tests import killing
from tests.jobs.lifecycles import (
    TICK,
    WORKSPACE,
    everything,
    forget_jobs,
    history,
    planned,
    progress,
    ready,
    row,
    stage,
    told,
)

pytestmark = pytest.mark.usefixtures("stores")
LATER = TICK + timedelta(hours=2)
STEPS = [("lead", "mql"), ("mql", "sql"), ("sql", "opportunity"), ("opportunity", "customer")]


class World:
    """A contact with all steps to take, one with the last, and one without any; anew each time."""

    def prepare(self) -> None:
        for kind in (Contact, LifecycleStep, EventRecord, BusinessProfile, Once):
            kind.objects.delete()
        forget_jobs()
        Once.mark_done(lifecycle_progression.FIRST_TIME)
        self.first, self.last, self.none = ready(), ready("opportunity"), ready("subscriber")
        everything(self.first)
        everything(self.last)

    def planned(self) -> None:
        """As `prepare`, and the tick's job waits."""
        self.prepare()
        lifecycle_progression.run(TICK.isoformat())
        (self.job,) = planned()

    def work(self) -> None:
        self.job.func(**self.job.kwargs)

    def check(self) -> None:
        all_of_them = (self.first, self.last, self.none)
        assert [stage(each) for each in all_of_them] == ["customer", "customer", "subscriber"]
        assert history(self.first) == told(self.first) == STEPS
        assert history(self.last) == told(self.last) == STEPS[-1:]
        assert history(self.none) == told(self.none) == []
        assert EventRecord.objects.count() == LifecycleStep.objects.count() == 5
        assert [row(each)["lifecycle"] for each in all_of_them] == [{}, {}, {}]  # no mark, nothing to tell


@pytest.fixture
def world() -> World:
    return World()


def test_a_job_that_dies_anywhere_is_completed_by_its_retry(world: World) -> None:
    assert killing.everywhere(world.planned, world.work, world.check) >= 20


def test_a_job_that_is_lost_is_completed_by_the_next_tick(world: World) -> None:
    """What it did is told first; then others are looked for."""
    steps = 0
    while True:
        world.planned()
        survived = killing.survives(world.work, steps)
        progress(LATER)
        world.check()
        if survived:
            break
        steps += 1
    assert steps >= 20


def test_a_planner_that_dies_anywhere_is_completed(world: World) -> None:
    def work() -> None:
        lifecycle_progression.run(TICK.isoformat())

    def check() -> None:
        for job in planned():
            job.func(**job.kwargs)
        world.check()

    assert killing.everywhere(world.prepare, work, check) >= 8


def test_a_first_run_and_edited_rules_look_at_all_though_it_dies_anywhere(world: World) -> None:
    def prepare() -> None:
        world.prepare()
        Contact._get_collection().update_many({}, {"$unset": {"lifecycle": ""}})
        Once.objects.delete()
        BusinessProfile(id=WORKSPACE, rules={"lifecycle": {"mqlGrade": "C"}}).save()

    def work() -> None:
        lifecycle_progression.run(TICK.isoformat())
        for _ in range(2):
            for job in planned():
                if job.func_name.endswith("recheck"):
                    job.func(**job.kwargs)

    def check() -> None:
        progress(LATER)
        world.check()

    assert killing.everywhere(prepare, work, check) >= 15
