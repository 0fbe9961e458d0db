"""Comments in the timelines of CRM items: ``crm.timeline.comment.*``.

Facts: "crm/timeline/comments" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator import crm_filter
from emulator.call import Call, integer, mapping, method, values
from emulator.crm import may_see
from emulator.crm_schema import CLASSIC, Field
from emulator.errors import RestError, missing_parameter
from emulator.state import Json, Portal

FIELDS = {
    name: Field(name, kind, name)
    for name, kind in (
        ("ID", "integer"), ("ENTITY_ID", "integer"), ("ENTITY_TYPE", "string"), ("CREATED", "datetime"),
        ("AUTHOR_ID", "integer"), ("COMMENT", "string"),
    )
}  # fmt: skip


def entity_type(portal: Portal, name: str) -> int:
    """The entityTypeId of ``deal``, ``contact``, ``company`` or ``dynamic_156``; 0 for anything else."""
    classic = {title.lower(): number for number, title in CLASSIC.items()}
    if name in classic:
        return classic[name]
    number = integer(name.removeprefix("dynamic_"), 0) if name.startswith("dynamic_") else 0
    return number if any(kind["entityTypeId"] == number for kind in portal.types.values()) else 0


def _owner(call: Call, given: Json) -> tuple[int, int]:
    kind = entity_type(call.portal, str(given.get("ENTITY_TYPE") or "").lower())
    item_id = integer(given.get("ENTITY_ID"), 0)
    if not kind or item_id not in call.portal.items.get(kind, {}):
        raise RestError("OWNER_NOT_FOUND", "Владелец не найден")
    if not may_see(call.portal, call.user, kind, item_id):
        raise RestError("ACCESS_DENIED", "Доступ запрещен", 400)
    return kind, item_id


@method("crm.timeline.comment.add", scope="crm", write=True)
def comment_add(call: Call) -> Any:
    if call.params.get("fields") is None:
        raise missing_parameter("fields")  # the key must be written in lower case
    given = mapping(call.params["fields"])
    _, item_id = _owner(call, given)
    if not given.get("COMMENT"):
        raise RestError("INVALID_ARG_VALUE", "COMMENT is empty")
    number = call.portal.next_id("comment")
    call.portal.comments[number] = {
        "ID": str(number),
        "ENTITY_ID": str(item_id),
        "ENTITY_TYPE": str(given["ENTITY_TYPE"]).lower(),
        "CREATED": call.portal.iso(call.now),
        "COMMENT": str(given["COMMENT"]),
        "AUTHOR_ID": str(call.user.id),
    }
    return number


@method("crm.timeline.comment.list", scope="crm")
def comment_list(call: Call) -> Any:
    given = mapping(call.arg("filter"))
    _owner(call, {key.lstrip("="): value for key, value in given.items()})
    test = crm_filter.compiled(call.portal, FIELDS, given)
    rows = [row for row in call.portal.comments.values() if test(row)]
    rows = crm_filter.ordered(call.portal, FIELDS, rows, call.arg("order"))
    names = [name for name in values(call.arg("select")) if name in FIELDS]
    return call.page([{name: row[name] for name in names} if names else row for row in rows])
