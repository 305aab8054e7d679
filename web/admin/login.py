"""/admin/login and /admin/logout."""

from __future__ import annotations

import re

import structlog
from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from web.admin import attempts, login_session

log = structlog.get_logger()

# Where a login may lead: our own pages, by path. Nothing else is followed, so there is no open redirect.
_OWN_PAGE = re.compile(r"/admin(/[\w./-]*)?(\?[\w./=&%+-]*)?", re.ASCII)


def add_to(pages: Blueprint) -> None:
    pages.get("/login", endpoint="login")(show)
    pages.post("/login", endpoint="log_in")(log_in)
    pages.post("/logout", endpoint="log_out")(log_out)


def show() -> BaseResponse:
    """The form, or the way on for who is logged in."""
    if login_session.is_logged_in():
        return redirect(_next_page())
    return _form(200)


def log_in() -> BaseResponse:
    address = request.remote_addr or "unknown"
    if not attempts.is_allowed(address):
        log.warning("🔒 too many logins", address=address)
        response = _form(429, "Too many attempts. Wait a minute, then try again.")
        response.headers["Retry-After"] = "60"
        return response
    if not login_session.has_csrf_token():
        return _form(400, "The form was too old, or your browser refuses cookies. Please try again.")
    if not login_session.is_right(request.form.get("user", ""), request.form.get("password", "")):
        log.warning("🔒 login refused", address=address)
        return _form(401, "This is not the right name and password.")
    target = _next_page()
    login_session.begin()
    log.info("🔓 logged in", address=address)
    return redirect(target, 303)


def log_out() -> BaseResponse:
    login_session.end()
    return redirect(url_for("admin.login"), 303)


def _form(status: int, message: str = "") -> Response:
    page = render_template("admin/login.html", message=message, next_page=_next_page())
    return make_response(page, status)


def _next_page() -> str:
    target = request.values.get("next", "")
    return target if _OWN_PAGE.fullmatch(target) else url_for("admin.home")
