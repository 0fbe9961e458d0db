"""Databases for tests: one server, one migrated template, and a clone of it (40 ms) for whoever needs one.

    with server() as url:
        template = template_database(url, migrate, fingerprint(Path("install/migrations")))
        with cloned(url, template) as database_url:
            ...

All of it works beside other sessions on the same checkout.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from b24app.ledger import embedded

VAR_DIR = Path(__file__).parent.parent / "var" / "test"
CLONE = "test_"
TEMPLATE = "template_"
BUILD_LOCK = 8_024_001  # any constant: two sessions must not build one template at a time


@contextmanager
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server for this test session: TEST_DATABASE_URL, else an embedded one.

    The embedded one keeps its templates from run to run in var/test and does not wait for the disk. Sessions that
    run side by side share it: the last to leave stops it, the first to come drops what killed sessions left.
    """
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    with (VAR_DIR / "sessions.lock").open("w") as sessions:
        alone = _lock_alone(sessions.fileno())
        url = embedded.ensure(VAR_DIR, durable=False)
        if alone:
            _drop_all_clones(url)
        fcntl.flock(sessions, fcntl.LOCK_SH)
        try:
            yield url
        finally:
            if _lock_alone(sessions.fileno()):
                embedded.stop(VAR_DIR)


def template_database(url: str, migrate: Callable[[str], None], fingerprint: str) -> str:
    """The name of a database that `migrate(url)` has prepared; made once per `fingerprint` and kept."""
    name = TEMPLATE + fingerprint
    with _maintenance(url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [BUILD_LOCK])
        if name not in _databases(connection, name):
            part = f"{name}_part"
            _drop(connection, part)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(part)))
            migrate(_at(url, part))
            connection.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(part), sql.Identifier(name))
            )
    return name


def clone(url: str, template: str) -> str:
    """The URL of a new database, equal to `template`; `drop` it after use."""
    name = CLONE + secrets.token_hex(6)
    with _maintenance(url) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return _at(url, name)


def drop(database_url: str) -> None:
    """Delete the database that `clone` made, ending whatever is still connected to it."""
    with _maintenance(database_url) as connection:
        _drop(connection, urlsplit(database_url).path.lstrip("/"))


@contextmanager
def cloned(url: str, template: str) -> Iterator[str]:
    """A clone of `template` that is gone afterwards."""
    database_url = clone(url, template)
    try:
        yield database_url
    finally:
        drop(database_url)


def fingerprint(*paths: Path) -> str:
    """A short digest of these files, and of all Python and SQL files in these folders: it changes when they do."""
    digest = hashlib.sha256()
    for path in paths:
        inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in {".py", ".sql"})
        for file in inside:
            digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _lock_alone(file: int) -> bool:
    """Take the lock for us alone, unless another session holds a share of it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _at(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


@contextmanager
def _maintenance(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(_at(url, "postgres"), autocommit=True) as connection:
        yield connection


def _databases(connection: psycopg.Connection, prefix: str) -> list[str]:
    rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
    return [name for (name,) in rows]


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _drop_all_clones(url: str) -> None:
    with _maintenance(url) as connection:
        for name in _databases(connection, CLONE):
            _drop(connection, name)
