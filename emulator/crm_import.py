"""``crm.item.import`` and ``crm.item.batchImport``: items with a past, made without robots.

Facts: "crm/universal/import" of the documentation. Whether an import raises events is not documented: they come without
tokens, or not at all (a knob).
"""

from __future__ import annotations

from typing import Any

from emulator import crm
from emulator.call import Call, integer, mapping, method, truth, values
from emulator.crm_base import Author, tell
from emulator.crm_items import check_employee, original_names
from emulator.crm_rights import denied, may
from emulator.crm_schema import fields_of
from emulator.crm_values import parse_instant
from emulator.errors import RestError
from emulator.state import Json, Portal, User

BATCH = 20
MOMENTS = ("createdTime", "updatedTime", "movedTime")
PEOPLE = ("createdBy", "updatedBy", "movedBy")


def import_item(portal: Portal, user: User, entity_type_id: int, given: Json, now: float) -> Json:
    """Make one item as an import does; raises CRM_FIELD_ERROR_VALUE_NOT_VALID for a past that cannot be."""
    author = Author(user.id, now, tokens=False)
    system = _past(portal, user, entity_type_id, given, now)
    item = crm.create(portal, entity_type_id, given, author, system)
    if not portal.world.knobs.import_silent:
        tell(portal, entity_type_id, "ADD", item["id"], author)
    return dict(item)


def _past(portal: Portal, user: User, kind: int, given: Json, now: float) -> Json:
    """The system fields an administrator may bring along."""
    fields = fields_of(portal, kind)
    named = [name for name in (*MOMENTS, *PEOPLE) if given.get(name) not in (None, "") and name in fields]
    if named and not user.is_admin:
        raise _invalid(named[0])
    found: Json = {name: integer(given[name], user.id) for name in named if name in PEOPLE}
    moments = {name: _instant(portal, name, given[name], now) for name in named if name in MOMENTS}
    newest = max((_stamp(portal, row["createdTime"]) for row in portal.items.get(kind, {}).values()), default=0.0)
    created = moments.get("createdTime", now)
    if created < newest:
        raise _invalid("createdTime")
    updated = moments.get("updatedTime", created if "createdTime" in moments else now)
    if updated < created:
        raise _invalid("updatedTime")
    if not created <= moments.get("movedTime", created) <= updated:
        raise _invalid("movedTime")
    return found | {name: portal.iso(moment) for name, moment in ({"updatedTime": updated} | moments).items()}


def _instant(portal: Portal, name: str, value: Any, now: float) -> float:
    found = parse_instant(portal, str(value))
    if found is None or found.timestamp() > now:
        raise _invalid(name)
    return found.timestamp()


def _stamp(portal: Portal, value: str) -> float:
    found = parse_instant(portal, value)
    return found.timestamp() if found else 0.0


def _invalid(name: str) -> RestError:
    return RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", f'Недопустимое значение поля "{name}"')


def _kind(call: Call) -> int:
    check_employee(call)
    kind = call.number("entityTypeId")
    fields_of(call.portal, kind)
    if not may(call.portal, call.user, "import", kind):
        raise denied()
    return kind


def _named(call: Call, kind: int, given: Any) -> Json:
    row = mapping(given)
    return original_names(call.portal, kind, row) if truth(call.params.get("useOriginalUfNames")) else row


@method("crm.item.import", scope="crm", write=True)
def one(call: Call) -> Any:
    kind = _kind(call)
    given = _named(call, kind, call.exact("fields"))
    return {"item": {"id": import_item(call.portal, call.user, kind, given, call.now)["id"]}}


@method("crm.item.batchImport", scope="crm", write=True)
def many(call: Call) -> Any:
    kind = _kind(call)
    rows = values(call.exact("data"))
    if len(rows) > BATCH:
        raise RestError("MAX_IMPORT_BATCH_SIZE_EXCEEDED", f"Нельзя импортировать больше {BATCH} элементов")
    return {"items": [_attempt(call, kind, row) for row in rows]}


def _attempt(call: Call, kind: int, row: Any) -> Json:
    """One row of a batch: its refusal stands in its place, the others go on."""
    try:
        item = import_item(call.portal, call.user, kind, _named(call, kind, row), call.now)
    except RestError as error:
        return error.body()
    return {"item": {"id": item["id"]}}
