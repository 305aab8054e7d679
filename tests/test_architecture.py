"""The rules of the house, kept by reading the source: who imports whom, and what stands where."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import queues
from jobs import schedule
from queues import names

ROOT = Path(__file__).parents[1]
# A module imports only from lower ranks, except inside its own package.
RANKS = {
    5: ("app", "worker", "scheduler"),  # put together what is below
    4: ("web",),
    3: ("jobs", "consumers"),
    2: ("publishers",),
    1: ("queues", "models", "services"),
    0: ("config", "schemas"),
}
RANK = {name: rank for rank, modules in RANKS.items() for name in modules}
OUTSIDE = ("sandbox", "tests", "bench")  # may import all; are imported by none of the above
LONGEST = 300  # lines of a file


def sources(*tops: str) -> list[Path]:
    """The Python files of these top-level modules and packages."""
    return sorted(
        path
        for top in tops
        for path in [*ROOT.glob(f"{top}.py"), *ROOT.glob(f"{top}/**/*.py")]
        if path.is_file()
    )


PRODUCTION = sources(*RANK)


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, wherever it stands; relative ones are made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "__import__",
        ):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                yield node.lineno, str(argument.value)


def violations(source: str, path: str) -> list[str]:
    """The imports of one file that the ranks forbid."""
    package = ".".join(Path(path).parts[:-1])
    own = Path(path).parts[0].removesuffix(".py")
    found = []
    for line, name in imports(source, package):
        top = name.split(".")[0]
        is_lower = RANK.get(top, -1) < RANK[own]
        if top in OUTSIDE or (top in RANK and top != own and not is_lower):
            found.append(f"{path}:{line} imports {name}")
    return found


def test_a_module_imports_only_from_lower_ranks() -> None:
    found = [bad for path in PRODUCTION for bad in violations(path.read_text(), str(path.relative_to(ROOT)))]
    assert found == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("queues/claim.py", "import models.contact"),
        ("queues/claim.py", "from services import logs"),
        ("services/mail/imap.py", "def f():\n    from queues import enqueue"),
        ("services/mail/imap.py", "from ...models import store"),
        ("models/contact.py", "if True:\n    import services.lead_score as rules"),
        ("config.py", "import schemas"),
        ("publishers/events.py", "from consumers.dispatch import handle"),
        ("consumers/contact.py", "import jobs.email_sync"),
        ("web/admin/pages.py", "from app import create_app"),
        ("worker.py", "import scheduler"),
        ("worker.py", "from sandbox import redis_server"),
        ("jobs/email_sync.py", "import importlib\nimportlib.import_module('tests.waiting')"),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_stands(path: str, source: str) -> None:
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("app.py", "from web import admin"),
        ("services/mail/imap.py", "from . import errors\nfrom .. import logs\nimport email\nimport config"),
        ("consumers/contact.py", "from consumers import activity\nfrom models.contact import Contact"),
        ("queues/worker.py", "from rq.worker import Worker\nimport queues.claim"),
    ],
)
def test_an_allowed_import_is_left_alone(path: str, source: str) -> None:
    assert violations(source, path) == []


def test_every_python_module_of_the_tree_has_a_rank() -> None:
    tops = {path.stem for path in ROOT.glob("*.py")} | {
        path.parent.name for path in ROOT.glob("*/__init__.py")
    }

    assert tops == {*RANK, *OUTSIDE}


def test_only_config_reads_the_environment() -> None:
    pattern = re.compile(r"\benviron\b|\bgetenv\b")
    readers = [str(path.relative_to(ROOT)) for path in PRODUCTION if pattern.search(_code(path))]

    # config.py's reader is pydantic-settings, so that not even it says the word.
    assert readers == []


def test_no_file_is_longer_than_300_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in PRODUCTION
        if (count := len(path.read_text().splitlines())) > LONGEST
    }
    assert long == {}


def test_production_code_prints_nothing() -> None:
    """Logs go through structlog; commands write with click, which can be told where."""
    printing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in PRODUCTION
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in PRODUCTION
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize("entry", schedule.SCHEDULE, ids=lambda entry: str(entry.name))
def test_every_entry_of_the_cron_table_has_its_file_its_function_and_its_queue(entry: object) -> None:
    assert isinstance(entry, type(schedule.SCHEDULE[0]))
    module = f"jobs.{entry.name.replace('-', '_')}"
    assert entry.func == f"{module}.run"
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    assert list(inspect.signature(resolve(entry.func)).parameters) == ["tick"]
    assert entry.queue in names.QUEUES


def test_the_cron_table_names_no_job_twice_and_none_that_is_archived() -> None:
    scheduled = [entry.name for entry in schedule.SCHEDULE]

    assert len(scheduled) == len(set(scheduled))
    assert not set(scheduled) & schedule.ARCHIVED.keys()
    assert {"agent-event-trigger", "agent-resume-execution", "agent-scheduled"} == schedule.ARCHIVED.keys()


JOB_NAME = re.compile(r"(?:jobs|consumers)(?:\.[a-z_]\w*){2,}")


def job_names() -> list[tuple[str, str]]:
    """Every dotted name of a job that stands as text in production code, and where."""
    return [
        (node.value, f"{path.relative_to(ROOT)}:{node.lineno}")
        for path in PRODUCTION
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and JOB_NAME.fullmatch(node.value)
    ]


@pytest.mark.parametrize(("name", "place"), job_names())
def test_every_job_that_is_named_by_text_exists(name: str, place: str) -> None:
    """Who enqueues a job names it, and imports nothing: a typing mistake would show only at run time."""
    assert callable(resolve(name)), place


def resolve(name: str) -> object:
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module), function)


def test_the_guide_to_the_engine_names_every_file() -> None:
    named = set(re.findall(r"\w+", inspect.getdoc(queues) or ""))
    files = {path.stem for path in ROOT.glob("queues/*.py") if not path.stem.startswith(("__", "cron_"))}
    assert files - named == set()


def test_whoever_silences_the_type_checker_says_why() -> None:
    """`# type: ignore[code]  # the reason`"""
    lines = [(path, line) for path in PRODUCTION for line in path.read_text().splitlines()]
    assert [
        f"{path.relative_to(ROOT)}: {line}"
        for path, line in lines
        if "# type: ignore" in line and not re.search(r"# type: ignore\[[\w-]+\]  # \w", line)
    ] == []


def _code(path: Path) -> str:
    """The file without its comments and docstrings."""
    return ast.unparse(_without_docstrings(ast.parse(path.read_text())))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:] or [ast.Pass()]
    return tree
