"""Who may import whom, and the other habits of docs/architecture.md that the source itself can show."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LEAVES = {"config", "errors", "messages", "texts"}  # anyone may use them; they use only each other
WIRING = {"__init__", "app", "cli"}  # may import any room
ROOMS: dict[str, set[str]] = {
    "scheduling": set(),
    "bitrix": set(),
    "adapters": set(),
    "ledger": {"scheduling"},
    "booking": {"scheduling", "ledger"},
    "sync": {"scheduling", "ledger", "booking", "bitrix"},
    "jobs": {"ledger", "booking", "sync", "bitrix", "adapters"},
    "web": {"scheduling", "ledger", "booking", "sync", "bitrix", "adapters", "jobs"},
}
ONLY_IN = {
    "authlib": {"bitrix"},
    "requests": {"bitrix", "adapters"},
    "sqlalchemy": {"ledger"},
    "alembic": {"ledger"},
    "procrastinate": {"ledger", "jobs"},
    "flask": {"web", *WIRING},
    "flask_wtf": {"web", *WIRING},
}
PURE = {"scheduling": {*sys.stdlib_module_names, "dateutil", "b24app"}}
CLOCK = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
READS_CLOCK = {"web", "jobs", *WIRING}
CATCHES_ALL = {"jobs"}  # once: the worker's outermost loop


def problems(root: Path) -> list[str]:
    """Every broken rule in b24app and emulator under `root`, as "file:line what"."""
    found = []
    for path in [*sorted(root.glob("b24app/**/*.py")), *sorted(root.glob("emulator/**/*.py"))]:
        tree, inside = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(root).with_suffix("").parts
        rules = [*broken_imports(tree, inside), *broken_habits(tree, inside)]
        found += [f"{path.relative_to(root)}:{line} {what}" for line, what in rules]
    return found


def imports(tree: ast.AST, inside: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and full path of everything imported: ("b24app", "ledger", "queries"), relative imports resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, tuple(alias.name.split("."))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = inside[: -node.level] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            yield from ((node.lineno, (*module, alias.name)) for alias in node.names)


def broken_imports(tree: ast.AST, inside: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    package, here = inside[0], inside[1]
    allowed = {*LEAVES, here, *ROOMS.get(here, ())}
    for line, target in imports(tree, inside):
        name = target[0]
        if name in {"b24app", "emulator", "tests"} - {package}:
            yield line, f"{package} may not import {name}"
        elif package == "b24app":
            if name == "b24app" and here not in WIRING and not {*target[1:2]} <= allowed:
                yield line, f"{here} may not import {target[1]}"
            if name not in PURE.get(here, {name}):
                yield line, f"{here} is pure and may not import {name}"
            elif here not in ONLY_IN.get(name, {here}):
                yield line, f"only {', '.join(sorted(ONLY_IN[name]))} may import {name}, not {here}"


def broken_habits(tree: ast.AST, inside: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    here = inside[1]
    if inside[0] != "b24app":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own = [line for line, (name, *_) in imports(node, inside) if name == "b24app"]
            yield from ((line, "imports inside a function") for line in own)
        elif isinstance(node, ast.Attribute) and here not in READS_CLOCK:
            if ".".join(ast.unparse(node).split(".")[-2:]) in CLOCK:
                yield node.lineno, f"{here} reads the clock"
        elif isinstance(node, ast.ExceptHandler) and here not in CATCHES_ALL and catches_all(node):
            yield node.lineno, f"{here} catches every exception"


def catches_all(handler: ast.ExceptHandler) -> bool:
    caught = [node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)] if handler.type else []
    return handler.type is None or not {"Exception", "BaseException"}.isdisjoint(caught)


def test_source_keeps_the_rules() -> None:
    assert problems(ROOT) == []


def test_only_the_workers_outermost_loop_catches_everything() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.glob("b24app/**/*.py")]
    handlers = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    assert len([handler for handler in handlers if catches_all(handler)]) <= 1


@pytest.mark.parametrize(
    ("path", "source", "what"),
    [
        ("b24app/scheduling/slot.py", "from b24app.ledger import queries", "scheduling may not import ledger"),
        ("b24app/scheduling/slot.py", "from ..ledger.queries import day", "scheduling may not import ledger"),
        ("b24app/scheduling/slot.py", "import requests", "scheduling is pure and may not import requests"),
        ("b24app/bitrix/client.py", "from b24app.booking import reserve", "bitrix may not import booking"),
        ("b24app/ledger/queries.py", "import b24app.booking.reserve", "ledger may not import booking"),
        ("b24app/booking/reserve.py", "from b24app import sync", "booking may not import sync"),
        ("b24app/sync/sweep.py", "from b24app.web import board", "sync may not import web"),
        ("b24app/jobs/tasks.py", "from b24app.web import board", "jobs may not import web"),
        ("b24app/errors.py", "from b24app.ledger import models", "errors may not import ledger"),
        ("b24app/booking/reserve.py", "from sqlalchemy import select", "only ledger may import sqlalchemy"),
        ("b24app/sync/drain.py", "import procrastinate", "only jobs, ledger may import procrastinate"),
        ("b24app/texts.py", "from flask import g", "only __init__, app, cli, web may import flask"),
        ("b24app/web/frame.py", "from authlib.oauth2 import rfc6749", "only bitrix may import authlib"),
        ("b24app/web/frame.py", "import emulator.state", "b24app may not import emulator"),
        ("emulator/rest.py", "from b24app.errors import Refused", "emulator may not import b24app"),
        ("b24app/web/frame.py", "def view():\n    from b24app.ledger import queries", "imports inside a function"),
        ("b24app/booking/reserve.py", "from datetime import datetime\nx = datetime.now()", "booking reads the clock"),
        ("b24app/sync/sweep.py", "import datetime as dt\nx = dt.datetime.now(dt.UTC)", "sync reads the clock"),
        ("b24app/bitrix/client.py", "import time\nx = time.time()", "bitrix reads the clock"),
        (
            "b24app/web/frame.py",
            "try:\n    pass\nexcept (OSError, Exception):\n    pass",
            "web catches every exception",
        ),
        ("b24app/web/frame.py", "try:\n    pass\nexcept:\n    pass", "web catches every exception"),
    ],
)
def test_broken_rule_is_found(tmp_path: Path, path: str, source: str, what: str) -> None:
    """The checker must fail when a forbidden line is added to a tree that keeps the rules."""
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("from pathlib import Path\nfrom b24app import errors\n" * path.startswith("b24app"))
    assert problems(tmp_path) == []
    (tmp_path / path).write_text(source)
    (problem,) = problems(tmp_path)
    assert what in problem


@pytest.mark.parametrize("source", ["from b24app import web\nimport flask", "from .web import board"])
def test_wiring_may_import_any_room(tmp_path: Path, source: str) -> None:
    (tmp_path / "b24app").mkdir()
    (tmp_path / "b24app/__init__.py").write_text(source)
    assert problems(tmp_path) == []
