"""Who types the command: for the records of who changed what."""

from __future__ import annotations

import getpass


def user() -> str:
    """The user logged in; in a container there may be none of that number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
