"""The admin pages in a browser: as a person uses them, under their own Content-Security-Policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from queues import dead_letters
from queues.names import BY_PRIORITY
from tests import failing
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def admin(page: Page) -> Page:
    page.fill("[name=user]", "admin")
    page.fill("[name=password]", "demo-admin")
    page.click("text=Log in")
    page.wait_for_url("**/admin")
    return page


def test_a_person_logs_in_requeues_a_dead_letter_and_logs_out(admin: Page) -> None:
    ids = failing.enqueue(2)
    failing.bury(ids)
    admin.reload()
    admin.locator("li", has_text="break_down 1").get_by_text("Requeue").click()
    admin.wait_for_selector("text=crm-events-break_down-1 is back on its queue")
    assert [letter.id for letter in dead_letters.page()] == ids[:1]
    admin.click("text=Log out")
    admin.wait_for_url("**/admin/login")
    admin.goto("/admin/queues/")
    admin.wait_for_url("**/admin/login?next=/admin/queues/")


def test_the_dashboard_shows_the_seven_queues(admin: Page) -> None:
    admin.click("nav >> text=Queues")
    admin.wait_for_selector("tr[data-role=queue]")
    names = admin.locator("tr[data-role=queue] td:first-child").all_inner_texts()
    assert names == BY_PRIORITY


def test_the_dashboard_shows_a_failed_job_and_requeues_it(admin: Page) -> None:
    ids = failing.enqueue(1)
    failing.bury(ids, "ValueError: <b>bold</b>")
    admin.goto("/admin/queues/")
    admin.click("#queues td.failed a:text-is('1')")
    admin.wait_for_selector("pre.exc_info:has-text('<b>bold</b>')")
    admin.click(f"text={ids[0]}")
    admin.wait_for_selector("#job-data pre.exc_info:has-text('ValueError: <b>bold</b>')")
    admin.click("#requeue-job-btn")
    wait_until(lambda: dead_letters.count() == 0)


def test_requeue_all_asks_first(admin: Page) -> None:
    failing.bury(failing.enqueue(3))
    admin.goto("/admin/queues/0/view/jobs/crm-events/failed/8/dsc/1")
    admin.click("#requeue-all-btn")
    admin.wait_for_selector("text=Do you really want to requeue all?")
    assert dead_letters.count() == 3
    admin.click("#confirmation-modal-yes")
    wait_until(lambda: dead_letters.count() == 0)


def test_a_script_in_an_exception_does_not_run(admin: Page) -> None:
    failing.bury(failing.enqueue(1), "ValueError: <img src=x onerror=\"document.title='taken'\">")
    admin.goto("/admin/queues/0/view/job/crm-events-break_down-0")
    admin.wait_for_selector("#job-data pre.exc_info:has-text('onerror')")
    assert admin.title() == "Job · Clianta Jobs"
    assert admin.locator("#job-data img").count() == 0


def test_the_workers_page_is_there(admin: Page) -> None:
    admin.click("nav >> text=Workers")
    admin.wait_for_selector("text=No workers.")
