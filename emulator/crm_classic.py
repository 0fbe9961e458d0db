"""The older methods ``crm.lead.*``, ``crm.deal.*``, ``crm.contact.*`` and ``crm.company.*``.

They are a thin dress over the same items: names in capitals, ids as strings, refusals with an empty code. Facts:
"crm/deals", "crm/contacts" and "crm/companies" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator import crm, crm_filter
from emulator.call import Call, integer, mapping, method, values
from emulator.crm_schema import CLASSIC, COMPANY, CONTACT, LEAD, Field, fields_of
from emulator.errors import RestError
from emulator.state import Json

MULTIFIELDS = ("PHONE", "EMAIL", "WEB", "IM")
RENAMED = {
    "DATE_CREATE": "CREATED_TIME",
    "DATE_MODIFY": "UPDATED_TIME",
    "CREATED_BY_ID": "CREATED_BY",
    "MODIFY_BY_ID": "UPDATED_BY",
}
SHOWN_AS = {new: old for old, new in RENAMED.items()}


def _capitals(call: Call, kind: int) -> dict[str, Field]:
    """The fields of a kind under the names of the older methods."""
    return {
        SHOWN_AS.get(one.upper, one.upper): one for one in fields_of(call.portal, kind).values() if one.name != "fm"
    }


def _shown(call: Call, kind: int, item: Json) -> Json:
    row = {upper: _text(item.get(one.name)) for upper, one in _capitals(call, kind).items()}
    for multi in item.get("fm") or []:
        row.setdefault(multi["typeId"], []).append(
            {
                "ID": str(multi["id"]),
                "VALUE_TYPE": multi["valueType"],
                "VALUE": multi["value"],
                "TYPE_ID": multi["typeId"],
            }
        )
    return row


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else str(value)


def _given(call: Call, kind: int) -> Json:
    """``fields`` in capitals as the values of ``crm.item.*``."""
    rows = {key.upper(): value for key, value in mapping(call.arg("fields")).items()}
    names = _capitals(call, kind)
    found = {names[key].name: value for key, value in rows.items() if key in names}
    phones = [
        {"typeId": key, "valueType": mapping(one).get("VALUE_TYPE"), "value": mapping(one).get("VALUE")}
        for key in MULTIFIELDS
        for one in values(rows.get(key))
    ]
    if phones and kind in (LEAD, CONTACT, COMPANY):
        # Negative keys add beside what is there already.
        found["fm"] = {f"n{index}": one for index, one in enumerate(phones)}
    return found


def _found(call: Call, kind: int, action: str) -> int:
    number = integer(call.arg("ID"), 0)
    if number not in call.portal.items.get(kind, {}):
        raise RestError("", "Not found")
    if not crm.may(call.portal, call.user, action, kind, number):
        raise RestError("", "Access denied.")
    return number


def _add(call: Call, kind: int) -> Any:
    if not crm.may(call.portal, call.user, "add", kind):
        raise RestError("", "Access denied.")
    return crm.add_item(call.portal, kind, _given(call, kind), crm.author_of(call))["id"]


def _update(call: Call, kind: int) -> Any:
    crm.update_item(call.portal, kind, _found(call, kind, "update"), _given(call, kind), crm.author_of(call))
    return True


def _get(call: Call, kind: int) -> Any:
    return _shown(call, kind, call.portal.items[kind][_found(call, kind, "read")])


def _delete(call: Call, kind: int) -> Any:
    crm.delete_item(call.portal, kind, _found(call, kind, "delete"), crm.author_of(call))
    return True


def _list(call: Call, kind: int) -> Any:
    fields = _capitals(call, kind)
    rows = crm.visible_items(call.portal, call.user, kind)
    given = {key.upper(): value for key, value in mapping(call.arg("filter")).items()}
    for name in ("PHONE", "EMAIL"):
        wanted = {str(one).lower() for one in values(given.pop(name, None))}
        rows = [row for row in rows if not wanted or wanted & _comms(row, name)]
    test = crm_filter.compiled(call.portal, fields, given)
    rows = crm_filter.ordered(call.portal, fields, [row for row in rows if test(row)], call.arg("order"))
    page = call.page(rows)
    names = {"ID", *(str(one).upper() for one in values(call.arg("select")))}
    every = len(names) == 1 or "*" in names
    page.result = [_only(_shown(call, kind, row), None if every else names) for row in page.result]
    return page


def _only(row: Json, names: set[str] | None) -> Json:
    return row if names is None else {key: value for key, value in row.items() if key in names}


def _comms(item: Json, kind: str) -> set[str]:
    return {row["value"].lower() for row in item.get("fm") or [] if row["typeId"] == kind}


def _register() -> None:
    actions = {"add": _add, "update": _update, "get": _get, "delete": _delete, "list": _list}
    for kind, title in CLASSIC.items():
        for verb, action in actions.items():
            name = f"crm.{title.lower()}.{verb}"
            method(name, scope="crm", write=verb in ("add", "update", "delete"))(
                lambda call, action=action, kind=kind: action(call, kind)  # type: ignore[misc]
            )


_register()
