"""/admin: the queues at a glance and the latest dead letters."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from queues import counts, dead_letters, heartbeats
from queues.names import QUEUES
from web.admin import guard, login_session
from web.cli.output import ago

SHOWN = 8  # dead letters on the page


def add_to(pages: Blueprint) -> None:
    pages.get("", endpoint="home")(show)
    pages.get("/", endpoint="home")(show)
    pages.post("/dead-letters/<job_id>/requeue", endpoint="requeue")(requeue)


def show() -> str:
    rows = counts.counts()
    letters = dead_letters.page(limit=SHOWN)
    return render_template(
        "admin/home.html",
        rows=rows,
        queues=QUEUES,
        total={name: sum(getattr(row, name) for row in rows) for name in ("waiting", "running", "failed")},
        letters=letters,
        workers=len(heartbeats.workers()),
        schedulers=len(heartbeats.schedulers()),
        ago=ago,
    )


def requeue(job_id: str) -> Response:
    if not login_session.has_csrf_token():
        return guard.problem(403, "the page was too old; reload it and try again")
    moved = dead_letters.requeue([job_id])
    flash(f"{job_id} is back on its queue." if moved.done else f"{job_id} was no dead letter any more.")
    return redirect(url_for("admin.home"), 303)
