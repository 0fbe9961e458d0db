"""Values of the settings as JSON has them, and back: whatever fields a dataclass has, new ones without a word here."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from b24app.errors import InvalidInput

Made = TypeVar("Made")


def plain(value: Any) -> Any:
    """The value made of dicts, lists, numbers, texts, true, false and None; sets are sorted, times as ISO has them."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(plain(one) for one in value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def made(cls: type[Made], value: Any, path: str = "") -> Made:
    """The dataclass that `plain` gave this value of; fields it does not name are as usual.

    Raises InvalidInput with a code at the path of whatever does not fit, `resources[3].hours[0].opens`.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput({path or ".": "not_a_group"})
    wrong: dict[str, str] = {}
    found: dict[str, Any] = {}
    hints = _hints(cast(Any, cls))
    for name in value.keys() - hints.keys():
        wrong[at(path, str(name))] = "unknown_field"
    for one in fields(cls):  # type: ignore[arg-type]
        if one.name in value:
            try:
                found[one.name] = _typed(hints[one.name], value[one.name], at(path, one.name))
            except InvalidInput as refused:
                wrong |= refused.fields
        elif one.default is MISSING and one.default_factory is MISSING:
            wrong[at(path, one.name)] = "required"
    if wrong:
        raise InvalidInput(wrong)
    try:
        return cls(**found)
    except ValueError:
        raise InvalidInput({path or ".": "not_fitting"}) from None


def at(path: str, name: str) -> str:
    """The path of what is called so in there."""
    return f"{path}.{name}" if path else name


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _typed(hint: Any, value: Any, path: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _typed(next(one for one in inner if one is not type(None)), value, path)
    if origin is Literal:
        return _checked(value, value in inner, path, "unknown_choice")
    if origin is tuple:
        return _row(inner, value, path)
    if origin in (frozenset, set):
        return frozenset(_row((inner[0], ...), value, path))
    if origin is not None:
        return _mapping(inner, value, path)
    return made(cast(Any, hint), value, path) if is_dataclass(hint) else _simple(hint, value, path)


def _row(inner: Sequence[Any], value: Any, path: str) -> tuple[Any, ...]:
    _checked(value, isinstance(value, list), path, "not_a_list")
    kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is ... else inner
    _checked(value, len(kinds) == len(value), path, "not_fitting")
    return tuple(_typed(kind, one, f"{path}[{n}]") for n, (kind, one) in enumerate(zip(kinds, value, strict=True)))


def _mapping(inner: Sequence[Any], value: Any, path: str) -> dict[str, Any]:
    _checked(value, isinstance(value, Mapping), path, "not_a_group")
    return {str(key): _typed(inner[1], one, at(path, str(key))) for key, one in value.items()}


def _simple(hint: Any, value: Any, path: str) -> Any:
    """Numbers are no yes and no, though Python thinks so."""
    if hint is Any:
        return value
    if hint in _READ:
        _checked(value, isinstance(value, str), path, "not_a_text")
        read, code = _READ[hint]
        try:
            return read(value)
        except (ValueError, InvalidOperation):
            raise InvalidInput({path: code}) from None
    fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    return _checked(value, fits, path, _CODES.get(hint, "not_fitting"))


_CODES = {int: "not_a_number", str: "not_a_text", bool: "not_yes_or_no"}
_READ: dict[Any, tuple[Callable[[str], Any], str]] = {
    Decimal: (Decimal, "not_a_number"),
    date: (date.fromisoformat, "not_a_date"),
    datetime: (datetime.fromisoformat, "not_a_date"),
}


def _checked(value: Any, fits: bool, path: str, code: str) -> Any:
    if not fits:
        raise InvalidInput({path: code})
    return value
