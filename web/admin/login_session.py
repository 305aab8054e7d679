"""Who is logged in: one user, in a signed cookie that ends after twelve hours."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from flask import request, session

import config

LIFE = 12 * 3_600  # seconds from the login, whatever happens in between: a working day


def begin() -> None:
    """Log the user in. What was in the session before is dropped, its CSRF token included."""
    session.clear()
    session["login"] = _fingerprint()
    session["since"] = int(time.time())


def end() -> None:
    session.clear()


def is_logged_in() -> bool:
    """Whether this request comes from the user; no longer so once user name or password have changed."""
    age = time.time() - session.get("since", 0)
    return 0 <= age < LIFE and hmac.compare_digest(str(session.get("login", "")), _fingerprint())


def is_right(user: str, password: str) -> bool:
    """Compare with ADMIN_USER and ADMIN_PASSWORD in constant time."""
    return hmac.compare_digest(_digest(user, password), _fingerprint())


def csrf_token() -> str:
    """The session's token, for the hidden field `csrf` of a form."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(32)
    return str(session["csrf"])


def has_csrf_token() -> bool:
    """Whether the posted form carries the session's token."""
    known = str(session.get("csrf", ""))
    return bool(known) and hmac.compare_digest(known.encode(), request.form.get("csrf", "").encode())


def _fingerprint() -> str:
    settings = config.settings()
    return _digest(settings.admin_user, settings.secret("admin_password"))


def _digest(user: str, password: str) -> str:
    # Keyed: the cookie is signed, yet its content can be read, and must not tell of the password.
    key = config.settings().secret("secret_key").encode()
    return hmac.new(key, f"{user}\0{password}".encode(), hashlib.sha256).hexdigest()
