"""Secrets at rest: a column type that encrypts, with keys that can be rotated."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
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


def rotated(ciphertext: bytes) -> bytes:
    """The same secret under the newest key."""
    return _keys().rotate(ciphertext)
