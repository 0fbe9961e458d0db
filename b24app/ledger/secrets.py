"""Secrets at rest: a column type that encrypts, with keys that can be rotated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import Column, LargeBinary, Table, select, type_coerce
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

_keyring: list[MultiFernet] = []  # one, once install_keys() was called


def install_keys(keys: Sequence[str]) -> None:
    """Use `keys` (Fernet) for every EncryptedText from now on: the first encrypts, all of them decrypt."""
    _keyring[:] = [MultiFernet([Fernet(key) for key in keys])]


def _keys() -> MultiFernet:
    if not _keyring:
        raise RuntimeError("install_keys() has not been called")
    return _keyring[0]


class EncryptedText(TypeDecorator[str]):
    """Text that is readable in Python and ciphertext in the database."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else _keys().encrypt(value.encode())

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else _keys().decrypt(bytes(value)).decode()


def rotate(tx: Session, tables: Iterable[Table]) -> int:
    """Encrypts every secret of these tables anew under the newest key; the number of secrets."""
    count = 0
    for table in tables:
        for column in table.columns:
            if isinstance(column.type, EncryptedText):
                count += _rotate_column(tx, table, column)
    return count


def _rotate_column(tx: Session, table: Table, column: Column[str]) -> int:
    ciphertext = type_coerce(column, LargeBinary)
    rows = tx.execute(select(table.c.id, ciphertext).where(column.is_not(None)).with_for_update()).all()
    for row_id, old in rows:
        new = _keys().rotate(bytes(old))
        tx.execute(table.update().where(table.c.id == row_id).values({column: type_coerce(new, LargeBinary)}))
    return len(rows)
