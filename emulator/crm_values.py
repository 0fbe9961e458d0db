"""Values of CRM fields: what a client may write, what is stored, and what is compared.

Stored is what REST answers: ISO times in the portal's server zone, Y/N, numbers. Facts: the value formats of
"crm/universal/crm-item-add" and "data-types" of the documentation.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from emulator.call import values
from emulator.crm_schema import Field
from emulator.errors import RestError
from emulator.phpform import text
from emulator.state import Portal

UNSET = object()  # the value is silently not set
NUMBERS = ("integer", "user", "employee", "crm_category", "crm_contact", "crm_company", "crm_entity", "enumeration")


def stored(portal: Portal, one: Field, value: Any) -> Any:
    """What is kept of a written value; UNSET when it is silently ignored, RestError when it is refused."""
    if one.multiple:
        return _stored_list(portal, one, value)
    if isinstance(value, (list, dict)):
        value = "Array"  # what PHP makes of an array where a string belongs
    return _single(portal, one, value)


def _stored_list(portal: Portal, one: Field, value: Any) -> Any:
    if value in (None, "", 0, "0", [], {}):
        return []
    if not isinstance(value, (list, dict)):
        kind = "string" if isinstance(value, str) else type(value).__name__
        raise RestError(100, f"Expected iterable value for multiple field, but got {kind} instead")
    found = [_single(portal, one, part) for part in values(value)]
    return [part for part in found if part is not UNSET and part is not None]


def _single(portal: Portal, one: Field, value: Any) -> Any:
    if one.type == "boolean":
        return "Y" if value is True or value in ("true", "y", "Y") else "N"
    if value in (None, "") or (one.dynamic and value in (0, "0", False)):
        return None  # any empty value clears a field; an integer 0 too
    if one.type in ("datetime", "date"):
        return (datetime_value if one.type == "datetime" else date_value)(portal, text(value))
    if one.type in NUMBERS:
        return _number(one, value)
    return _double(one, value) if one.type == "double" else text(value)


def _refused(one: Field) -> RestError:
    return RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", f'Недопустимое значение поля "{one.title or one.name}"')


def _number(one: Field, value: Any) -> int:
    try:
        number = int(float(text(value)))
    except (ValueError, OverflowError):
        raise _refused(one) from None
    if one.type == "enumeration" and number not in one.options:
        raise _refused(one)
    return number


def _double(one: Field, value: Any) -> float | int:
    try:
        number = float(text(value).replace(",", "."))
    except ValueError:
        raise _refused(one) from None
    return int(number) if number.is_integer() else number


def parse_instant(portal: Portal, value: str) -> datetime | None:
    """An aware instant of an ISO text; without an offset it is server time of the portal. None when unreadable."""
    try:
        found = datetime.fromisoformat(value.strip().replace(" ", "T", 1) if " " in value.strip() else value.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=portal.zone())


def datetime_value(portal: Portal, value: str) -> Any:
    """The instant in the server's zone; an unreadable text is silently not set."""
    instant = parse_instant(portal, value)
    return UNSET if instant is None else instant.astimezone(portal.zone()).replace(microsecond=0).isoformat()


def date_value(portal: Portal, value: str) -> Any:
    """A date as REST answers it: midnight UTC seen from the server's zone, so the hour is rarely 0."""
    try:
        day = date.fromisoformat(value.strip()[:10])
    except ValueError:
        return UNSET
    return datetime.combine(day, time(), UTC).astimezone(portal.zone()).isoformat()


def comparable(portal: Portal, one: Field, value: Any) -> Any:
    """A value to compare and sort by: instants as seconds, texts without case, as the database does."""
    if value in (None, ""):
        return None
    if one.type == "datetime":
        instant = parse_instant(portal, text(value))
        return instant.timestamp() if instant else None
    if one.type == "date":
        return _day_number(portal, text(value))
    if one.type in NUMBERS or one.type == "double":
        return _as_float(value)
    if one.type == "boolean" and one.dynamic:
        return "y" if text(value).lower() in ("1", "y", "true") else "n"
    return text(value).lower()


def _day_number(portal: Portal, value: str) -> int | None:
    """The number of a day: stored dates are midnight UTC, written ones have no hour."""
    instant = parse_instant(portal, value)
    if instant is None:
        return None
    return instant.date().toordinal() if len(value.strip()) == 10 else instant.astimezone(UTC).date().toordinal()


def _as_float(value: Any) -> float | None:
    try:
        return float(text(value))
    except ValueError:
        return None
