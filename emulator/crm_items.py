"""``crm.item.*``: what callers of REST may do with CRM items, and how an item is answered.

Refusals of rights come as HTTP 400 here. Facts: "crm/universal/crm-item-*" of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator import crm_filter
from emulator.call import Call, Page, integer, mapping, method, paged, truth, values
from emulator.crm import add_item, author_of, delete_item, find_item, update_item
from emulator.crm_rights import denied, may, visible_items
from emulator.crm_schema import Field, describe, fields_of
from emulator.errors import RestError
from emulator.state import Json, Portal


def check_employee(call: Call) -> None:
    if call.user.extranet:
        raise RestError("allowed_only_intranet_user", "Действие доступно только пользователям интранета", 403)


# Answers --------------------------------------------------------------------------------------------------------


def shown(portal: Portal, item: Json, call: Call, names: list[str] | None = None) -> Json:
    """An item as REST answers it: all fields (or the named ones), custom names as the caller asked."""
    fields = fields_of(portal, item["entityTypeId"])
    # A field added after the item was made is there too, without a value.
    full = {name: item.get(name, [] if one.multiple else None) for name, one in fields.items()}
    full |= {"entityTypeId": item["entityTypeId"]}
    if "fm" in fields:
        full |= _fm_aliases(item)
    chosen = full if names is None else {name: full[name] for name in names}
    if not truth(call.params.get("useOriginalUfNames")):
        return chosen
    return {fields[name].upper if _custom(fields.get(name)) else name: value for name, value in chosen.items()}


def _custom(one: Field | None) -> bool:
    return one is not None and one.upper.startswith("UF_")


def _fm_aliases(item: Json) -> Json:
    """Flat copies of phones and e-mails: ``phone``, ``phoneWork``, ``emailHome``…"""
    found: Json = {}
    for row in item.get("fm") or []:
        base = row["typeId"].lower()
        found.setdefault(base, row["value"])
        found.setdefault(base + row["valueType"].capitalize(), row["value"])
    return found


def _given_fields(call: Call) -> Json:
    """The ``fields`` of a call under their REST names."""
    given = mapping(call.exact("fields"))
    if not truth(call.params.get("useOriginalUfNames")):
        return given
    return original_names(call.portal, call.number("entityTypeId"), given)


def original_names(portal: Portal, entity_type_id: int, given: Json) -> Json:
    """Values under the original names of custom fields, by their REST names; what is unknown is left out."""
    fields = fields_of(portal, entity_type_id)
    known = {one.upper if _custom(one) else name: name for name, one in fields.items()}
    return {known[name]: value for name, value in given.items() if name in known}


def _filter_fields(call: Call, fields: dict[str, Field]) -> dict[str, Field]:
    if not truth(call.params.get("useOriginalUfNames")):
        return fields
    return {one.upper if _custom(one) else name: one for name, one in fields.items()}


# Methods --------------------------------------------------------------------------------------------------------


@method("crm.item.add", scope="crm", write=True)
def item_add(call: Call) -> Any:
    check_employee(call)
    kind = call.number("entityTypeId")
    given = _given_fields(call)
    fields_of(call.portal, kind)
    if not may(call.portal, call.user, "add", kind):
        raise denied()
    return {"item": shown(call.portal, add_item(call.portal, kind, given, author_of(call)), call)}


@method("crm.item.update", scope="crm", write=True)
def item_update(call: Call) -> Any:
    kind, item_id = _addressed(call, "update")
    item = update_item(call.portal, kind, item_id, _given_fields(call), author_of(call))
    return {"item": shown(call.portal, item, call)}


@method("crm.item.get", scope="crm")
def item_get(call: Call) -> Any:
    return {"item": shown(call.portal, find_item(call.portal, *_addressed(call, "read")), call)}


@method("crm.item.delete", scope="crm", write=True)
def item_delete(call: Call) -> Any:
    delete_item(call.portal, *_addressed(call, "delete"), author_of(call))
    return []


def _addressed(call: Call, action: str) -> tuple[int, int]:
    """The item a call names; NOT_FOUND and ACCESS_DENIED come as HTTP 400 here."""
    check_employee(call)
    kind, item_id = call.number("entityTypeId"), call.number("id")
    find_item(call.portal, kind, item_id)
    if not may(call.portal, call.user, action, kind, item_id):
        raise denied()
    return kind, item_id


@method("crm.item.list", scope="crm")
def item_list(call: Call) -> Any:
    check_employee(call)
    kind = whole_kind(call)
    fields = fields_of(call.portal, kind)
    named = _filter_fields(call, fields)
    rows = sifted(call, visible_items(call.portal, call.user, kind), named)
    page = paged(rows, call.arg("start"))
    names = crm_filter.selected(named, call.arg("select"))
    show: Callable[[Json], Json] = lambda item: _listed(call, item, names)  # noqa: E731
    return Page({"items": [show(item) for item in page.result]}, page.total, page.next)


def _listed(call: Call, item: Json, names: list[str] | None) -> Json:
    """Multifields come with "*" only, and a bare list without ``select`` leaves them out."""
    row = shown(call.portal, item, call, names)
    if names is None and "*" not in values(call.arg("select")):
        row.pop("fm", None)
    return row


def whole_kind(call: Call) -> int:
    """``entityTypeId`` in whatever case: some clients write the names of list parameters in capitals."""
    found = call.arg("entityTypeId")
    return call.number("entityTypeId") if found is None else integer(found, 0)


def sifted(call: Call, rows: list[Json], fields: dict[str, Field]) -> list[Json]:
    """Rows that pass the call's filter, in the call's order."""
    test = crm_filter.compiled(call.portal, fields, call.arg("filter"))
    return crm_filter.ordered(call.portal, fields, [row for row in rows if test(row)], call.arg("order"))


@method("crm.item.fields", scope="crm")
def item_fields(call: Call) -> Any:
    check_employee(call)
    fields = fields_of(call.portal, call.number("entityTypeId"))
    return {"fields": {name: describe(one) for name, one in _filter_fields(call, fields).items() if one.enabled}}
