"""Filter, order and select of CRM lists.

Documented in "crm/universal/crm-item-list": prefixes, nested logic, INVALID_ARG_VALUE for a field that is not allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from emulator.call import mapping, values
from emulator.crm_schema import Field
from emulator.crm_values import comparable
from emulator.errors import RestError
from emulator.phpform import text
from emulator.state import Json, Portal

KEY = re.compile(r"^(!=%|!%=|!@|!=|!%|>=|<=|=%|%=|!|>|<|=|@|%)?(.*)$", re.DOTALL)
Test = Callable[[Json], bool]
Fields = Mapping[str, Field]


def compiled(portal: Portal, fields: Fields, given: Any, label: str = "filter") -> Test:
    """A predicate over stored items; raises INVALID_ARG_VALUE for an unknown field."""
    rows = mapping(given)
    any_of = str(rows.pop("logic", rows.pop("LOGIC", "AND"))).upper() == "OR"
    tests = [_one(portal, fields, key, value, label) for key, value in rows.items()]
    if any_of:
        return lambda item: any(test(item) for test in tests) or not tests
    return lambda item: all(test(item) for test in tests)


def _one(portal: Portal, fields: Fields, key: str, value: Any, label: str) -> Test:
    if key.isdigit() and isinstance(value, (dict, list)):
        return compiled(portal, fields, value, label)
    found = KEY.match(key)
    assert found
    one = resolve(fields, found[2])
    if one is None:
        raise RestError("INVALID_ARG_VALUE", f"Invalid {label}: field '{found[2]}' is not allowed in {label}")
    return _test(portal, one, found[1] or "", value)


def resolve(fields: Fields, name: str) -> Field | None:
    """A field by its REST name, or by its upper-case system name ("ID", "STAGE_ID")."""
    if name in fields:
        return fields[name]
    return next((one for one in fields.values() if one.upper == name and not one.name.startswith("uf")), None)


def _test(portal: Portal, one: Field, prefix: str, value: Any) -> Test:
    negated = prefix.startswith("!")
    operator = prefix.lstrip("!")
    if isinstance(value, (list, dict)) or operator == "@":
        matches = _is_in(portal, one, values(value))
    elif operator in (">", ">=", "<", "<="):
        matches = _compares(portal, one, operator, value)
    elif operator in ("%", "=%", "%="):
        matches = _is_like(one, value, whole=operator != "%")
    else:
        matches = _is_in(portal, one, [value])
    return (lambda item: not matches(item)) if negated else matches


def _is_in(portal: Portal, one: Field, wanted: list[Any]) -> Test:
    keys = {comparable(portal, one, value) for value in wanted}
    name = one.name

    def test(item: Json) -> bool:
        have = item.get(name)
        if isinstance(have, list):
            return any(comparable(portal, one, part) in keys for part in have) or (not have and None in keys)
        return comparable(portal, one, have) in keys

    return test


def _compares(portal: Portal, one: Field, operator: str, value: Any) -> Test:
    limit = comparable(portal, one, value)
    name = one.name

    def holds(have: Any) -> bool:
        key = comparable(portal, one, have)
        if key is None or limit is None:
            return False
        if operator == ">":
            return bool(key > limit)
        if operator == ">=":
            return bool(key >= limit)
        return bool(key < limit) if operator == "<" else bool(key <= limit)

    return lambda item: any(holds(part) for part in values(item.get(name)))


def _is_like(one: Field, value: Any, whole: bool) -> Test:
    """Substring for ``%``; with ``=%`` the value is a pattern in which % stands for anything."""
    wanted, name = text(value).lower(), one.name
    pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("%")), re.DOTALL)

    def holds(have: Any) -> bool:
        hay = text(have).lower()
        return pattern.fullmatch(hay) is not None if whole else wanted in hay

    return lambda item: any(holds(part) for part in values(item.get(name)))


def ordered(portal: Portal, fields: Fields, items: list[Json], given: Any) -> list[Json]:
    """Items sorted as ``order`` says; by id when it says nothing."""
    for key, direction in reversed(mapping(given).items()):
        one = resolve(fields, key)
        if one is None or one.multiple:
            raise RestError("INVALID_ARG_VALUE", f"Invalid order: field '{key}' is not allowed in order")
        way = str(direction).upper()
        if way not in ("ASC", "DESC"):
            raise RestError("INVALID_ARG_VALUE", f"Invalid order: allowed directions are ASC, DESC. {direction} given")
        items = sorted(items, key=_sort_key(portal, one), reverse=way == "DESC")
    return items


def _sort_key(portal: Portal, one: Field) -> Callable[[Json], tuple[bool, Any]]:
    def key(item: Json) -> tuple[bool, Any]:
        value = comparable(portal, one, item.get(one.name))
        return (value is not None, value if value is not None else 0)

    return key


def selected(fields: Fields, given: Any) -> list[str] | None:
    """The REST names to answer, None for all of them; unknown names are passed over."""
    names = [str(name) for name in values(given)]
    if not names or "*" in names:
        return None
    found = [one.name for one in (resolve(fields, name) for name in names) if one is not None and one.name != "fm"]
    return ["id", *(name for name in found if name != "id")]
