"""Comments in the timelines of CRM items: ``crm.timeline.comment.*``.

Facts: "crm/timeline/comments" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator import crm_filter, event
from emulator.call import Call, integer, mapping, method, values
from emulator.crm import author_of
from emulator.crm_base import Author
from emulator.crm_rights import may_see
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


def write_comment(portal: Portal, entity_type_id: int, item_id: int, text: str, author: Author) -> int:
    """Put a comment into an item's timeline and tell it; returns its number."""
    name = CLASSIC[entity_type_id].lower() if entity_type_id in CLASSIC else f"dynamic_{entity_type_id}"
    number = portal.next_id("comment")
    portal.comments[number] = {
        "ID": str(number),
        "ENTITY_ID": str(item_id),
        "ENTITY_TYPE": name,
        "CREATED": portal.iso(author.now),
        "COMMENT": text,
        "AUTHOR_ID": str(author.user_id),
    }
    _tell(portal, "ADD", number, author)
    return number


def _tell(portal: Portal, verb: str, number: int, author: Author) -> None:
    event.emit(portal, f"ONCRMTIMELINECOMMENT{verb}", {"FIELDS": {"ID": number}}, author.teller, author.hops)


def _given(call: Call) -> Json:
    """What a call writes; the key must stand in lower case."""
    if call.params.get("fields") is None:
        raise missing_parameter("fields")
    given = mapping(call.params["fields"])
    if not given.get("COMMENT"):
        raise RestError("INVALID_ARG_VALUE", "COMMENT is empty")
    return given


@method("crm.timeline.comment.add", scope="crm", write=True)
def comment_add(call: Call) -> Any:
    if call.params.get("fields") is None:
        raise missing_parameter("fields")
    kind, item_id = _owner(call, mapping(call.params["fields"]))
    return write_comment(call.portal, kind, item_id, str(_given(call)["COMMENT"]), author_of(call))


def _found(call: Call, refusal: RestError) -> Json:
    """The comment a call names, if its caller may see what it belongs to."""
    row = call.portal.comments.get(integer(call.arg("id"), 0))
    if row is None:
        raise refusal
    _owner(call, row)
    return row


def _unknown() -> RestError:
    return RestError("NOT_FOUND", "Not found.")


@method("crm.timeline.comment.get", scope="crm")
def comment_get(call: Call) -> Any:
    if integer(call.arg("id"), 0) <= 0:
        raise RestError("", "ID is not defined or invalid.")
    return dict(_found(call, RestError("", "Not found.")))


@method("crm.timeline.comment.update", scope="crm", write=True)
def comment_update(call: Call) -> Any:
    call.number("id")
    row = _found(call, _unknown())
    row["COMMENT"] = str(_given(call)["COMMENT"])
    _tell(call.portal, "UPDATE", int(row["ID"]), author_of(call))
    return int(row["ID"])


@method("crm.timeline.comment.delete", scope="crm", write=True)
def comment_delete(call: Call) -> Any:
    call.number("id")
    row = _found(call, _unknown())
    del call.portal.comments[int(row["ID"])]
    _tell(call.portal, "DELETE", int(row["ID"]), author_of(call))


@method("crm.timeline.comment.fields", scope="crm")
def comment_fields(call: Call) -> Any:
    return {
        name: {
            "type": one.type,
            "isRequired": name in ("ENTITY_ID", "ENTITY_TYPE"),
            "isReadOnly": name in ("ID", "CREATED", "AUTHOR_ID"),
            "isImmutable": name in ("ENTITY_ID", "ENTITY_TYPE"),
            "isMultiple": False,
            "isDynamic": False,
            "title": name,
        }
        for name, one in FIELDS.items()
    }


@method("crm.timeline.comment.list", scope="crm")
def comment_list(call: Call) -> Any:
    given = mapping(call.arg("filter"))
    _owner(call, {key.lstrip("="): value for key, value in given.items()})
    test = crm_filter.compiled(call.portal, FIELDS, given)
    rows = [row for row in call.portal.comments.values() if test(row)]
    rows = crm_filter.ordered(call.portal, FIELDS, rows, call.arg("order"))
    names = [name for name in values(call.arg("select")) if name in FIELDS]
    return call.page([{name: row[name] for name in names} if names else row for row in rows])
