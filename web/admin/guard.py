"""What stands before every admin page: the login, the check of who sent a change, security headers."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, make_response, redirect, render_template, request, url_for
from rq.exceptions import NoSuchJobError
from werkzeug.wrappers import Response as BaseResponse

from queues.connection import RedisError
from web import errors
from web.admin import login_session

PROTECTED = ("admin", "rq_dashboard")  # blueprints
OPEN = ("admin.login", "admin.log_in")  # their only endpoints for strangers
HARMLESS = ("GET", "HEAD", "OPTIONS")
# rq-dashboard fills its tables from templates in the page, which are compiled with Function().
SCRIPTS_OF = {"rq_dashboard": "'unsafe-eval'"}
STYLES_OF = {"rq_dashboard": "'unsafe-inline'"}


def init_app(app: Flask) -> None:
    app.before_request(_check)
    app.after_request(_secure)
    app.register_error_handler(RedisError, _redis_away)
    app.register_error_handler(NoSuchJobError, _no_such_job)
    app.jinja_env.globals.update(csrf_token=login_session.csrf_token, csp_nonce=csp_nonce)


def csp_nonce() -> str:
    """What marks this response's own inline scripts as ours."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def problem(status: int, message: str) -> BaseResponse:
    """An error as a page for a browser's window, else in the API's shape."""
    if not _wants_page():
        return make_response(errors.answer(status, message))
    return make_response(render_template("admin/problem.html", status=status, message=message), status)


def is_same_origin() -> bool:
    """Whether one of our own pages sent this request, by what browsers say of it.

    Sec-Fetch-Site of https://www.w3.org/TR/fetch-metadata/, else Origin, else Referer; none of them: no.
    """
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    source = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return urlsplit(source).netloc == request.host


def _check() -> BaseResponse | None:
    if request.blueprint not in PROTECTED:
        return None
    if request.endpoint not in OPEN and not login_session.is_logged_in():
        return _to_login()
    if request.method not in HARMLESS and not is_same_origin():
        return problem(403, "this request did not come from one of our own pages")
    return None


def _to_login() -> BaseResponse:
    if not _wants_page():
        return make_response(errors.answer(401, "log in at /admin/login"))
    return redirect(url_for("admin.login", next=request.full_path.rstrip("?")))


def _wants_page() -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "")


def _secure(response: Response) -> Response:
    if request.blueprint not in PROTECTED:
        return response
    scripts, styles = SCRIPTS_OF.get(request.blueprint, ""), STYLES_OF.get(request.blueprint, "")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' 'nonce-{csp_nonce()}' {scripts}; style-src 'self' {styles}; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "rq_dashboard.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _redis_away(error: Exception) -> BaseResponse:
    message = f"Redis does not answer ({type(error).__name__}); try again in a moment"
    in_admin = request.blueprint in PROTECTED
    response = problem(503, message) if in_admin else make_response(errors.answer(503, message))
    response.headers["Retry-After"] = str(errors.RETRY_SECONDS)
    return response


def _no_such_job(_error: Exception) -> BaseResponse:
    return problem(404, "there is no such job (any more): finished jobs are kept for a while only")
