"""The settings as the README's table and as .env.example, both made from config.py.

`python -m tests.settings_docs` writes both files anew; tests/test_docs.py checks that somebody has.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from config import DEMO_SECRETS, Settings

ROOT = Path(__file__).parents[1]
README, EXAMPLE = ROOT / "README.md", ROOT / ".env.example"
BEGIN, END = "<!-- settings: made by python -m tests.settings_docs -->", "<!-- /settings -->"
HEADER = """# Every setting, with its default. Made by python -m tests.settings_docs.
# The programs read the environment, not files: copy this to .env and load it with `set -a; . ./.env; set +a`.
"""


def table() -> str:
    """The settings as a Markdown table."""
    rows = [
        f"| `{name.upper()}` | {_default(name, field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what |", "|---|---|---|", *rows])


def example() -> str:
    """The settings as a file of shell assignments."""
    parts = [
        f"# {field.description}{'. Required.' if name in DEMO_SECRETS else ''}\n{_assignment(name, field)}\n"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join([HEADER, *parts])


def readme() -> str:
    """The README with its table as it should be."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEMO_SECRETS:
        return "required"
    value = _plain(field.default)
    return f"`{value}`" if value else "not set"


def _assignment(name: str, field: FieldInfo) -> str:
    value = _plain(field.default)
    is_needed = name in DEMO_SECRETS
    return f"{'' if is_needed else '# '}{name.upper()}={value}"


def _plain(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


if __name__ == "__main__":
    README.write_text(readme())
    EXAMPLE.write_text(example())
    sys.stdout.write("README.md and .env.example are renewed\n")
