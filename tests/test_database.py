"""The harness itself: a template is built once, clones do not see each other."""

from pathlib import Path

import psycopg
import pytest

from tests.database import clone, cloned, drop, fingerprint, server, template_database


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def test_template_is_built_once_and_clones_are_apart() -> None:
    built = []

    def migrate(url: str) -> None:
        built.append(url)
        run(url, "CREATE TABLE kept (n int)")

    with server() as url:
        names = {template_database(url, migrate, "harness") for _ in range(2)}
        template = names.pop()
        with cloned(url, template) as one, cloned(url, template) as other:
            run(one, "INSERT INTO kept VALUES (1)")
            assert run(one, "SELECT * FROM kept") == [(1,)]
            assert run(other, "SELECT * FROM kept") == []
        drop(built[0].replace("_part", ""))
    assert len(built) == 1
    assert names == set()


def test_clone_is_dropped_though_somebody_is_connected() -> None:
    with server() as url:
        database_url = clone(url, "template1")
        with psycopg.connect(database_url) as connection:
            drop(database_url)
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")


def test_fingerprint_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("1")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (tmp_path / "two.sql").write_text("2")
    assert fingerprint(tmp_path) != before
