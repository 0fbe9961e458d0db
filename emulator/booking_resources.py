"""Resources of the portal's own online booking: ``booking.v1.resource.*``, their hours and their types.

Facts: "booking/resource" of the documentation. Errors have numbers for codes. Bookings themselves are not here.
"""

from __future__ import annotations

from typing import Any

from emulator import event
from emulator.call import Call, integer, mapping, method, values, whole
from emulator.errors import RestError
from emulator.state import Json, Portal

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# Asked for under one name, answered under another.
DEFAULTS: Json = {
    "isInfoNotificationOn": "Y", "templateTypeInfo": "inanimate", "isConfirmationNotificationOn": "Y",
    "templateTypeConfirmation": "inanimate", "isReminderNotificationOn": "Y", "templateTypeReminder": "base",
    "isFeedbackNotificationOn": "Y", "templateTypeFeedback": "inanimate", "isDelayedNotificationOn": "Y",
    "templateTypeDelayed": "inanimate", "delayedCounterDelay": 7200, "confirmationCounterDelay": 7200,
}  # fmt: skip
RENAMED = {
    "infoDelay": ("infoNotificationDelay", 300), "reminderDelay": ("reminderNotificationDelay", -1),
    "delayedDelay": ("delayedNotificationDelay", 300), "confirmationDelay": ("confirmationNotificationDelay", 86400),
    "confirmationRepetitions": ("confirmationNotificationRepetitions", 0),
    "confirmationRepetitionsInterval": ("confirmationNotificationRepetitionsInterval", 0),
}  # fmt: skip


def add_type(portal: Portal, name: str, code: str, **more: Any) -> Json:
    """A type of resources, such as the portal brings along or people make."""
    row = {"id": portal.next_id("booking_type"), "name": name, "code": code, **_notices(more)}
    portal.booking_types[row["id"]] = row
    return row


def add_resource(portal: Portal, type_id: int, name: str, slots: list[Json] | None = None, **more: Any) -> Json:
    """A resource with its hours: slots as ``booking.v1.resource.slots.set`` takes them."""
    row: Json = {"id": portal.next_id("booking_resource"), "name": name, "description": None, "typeId": type_id}
    row |= {"isMain": "Y", **_notices(more)} | {key: more[key] for key in ("description", "isMain") if key in more}
    row["slots"] = [{"id": portal.next_id("booking_slot"), **slot} for slot in slots or []]
    portal.booking_resources[row["id"]] = row
    return row


def _notices(given: Json) -> Json:
    renamed = {shown: given.get(asked, usual) for asked, (shown, usual) in RENAMED.items()}
    return {key: given.get(key, usual) for key, usual in DEFAULTS.items()} | renamed


def _shown(row: Json) -> Json:
    return dict(sorted((key, value) for key, value in row.items() if key != "slots"))


def _found(rows: dict[int, Json], call: Call, name: str, code: int) -> Json:
    row = rows.get(whole(call.exact(name), name))
    if row is None:
        raise RestError(code, "Resource not found" if code != 1013 else "ResourceType not found")
    return row


def _fields(call: Call, needed: tuple[str, ...]) -> Json:
    fields = mapping(call.exact("fields"))
    missing = [name for name in needed if fields.get(name) in (None, "")]
    if missing:
        raise RestError(0, f"Required fields: {', '.join(missing)}")
    return fields


def _listed(call: Call, rows: list[Json], keys: tuple[str, ...]) -> list[Json]:
    """Those that pass FILTER, in the order of ORDER; both are objects, or error 100."""
    for name in ("filter", "order"):
        if call.arg(name) not in (None, []) and not isinstance(call.arg(name), dict):
            raise RestError(100, f"Invalid value to match with parameter {{{name}}}. Should be value of type array.")
    wanted, order = mapping(call.arg("filter")), mapping(call.arg("order"))
    for key in keys:
        if key in wanted:
            rows = [row for row in rows if str(row.get(key)) in map(str, values(wanted[key]))]
    if query := str(wanted.get("searchQuery") or "").lower():
        rows = [row for row in rows if query in row["name"].lower()]
    for key, way in reversed(list(order.items()) or [("id", "asc")]):
        if key.lower() in ("id", "name", "code"):
            rows = sorted(rows, key=lambda row: row[key.lower()], reverse=str(way).lower() == "desc")
    return rows


# Types ----------------------------------------------------------------------------------------------------------


@method("booking.v1.resourceType.list", scope="booking")
def type_list(call: Call) -> Any:
    """The key of the list is "resource" here too: so it stands in the documentation."""
    return {"resource": _listed(call, list(call.portal.booking_types.values()), ("name", "code"))}


@method("booking.v1.resourceType.get", scope="booking")
def type_get(call: Call) -> Any:
    return {"resourceType": _found(call.portal.booking_types, call, "id", 1013)}


@method("booking.v1.resourceType.add", scope="booking", write=True)
def type_add(call: Call) -> Any:
    fields = _fields(call, ("name", "code"))
    if any(row["code"] == str(fields["code"]) for row in call.portal.booking_types.values()):
        raise RestError(1010, "Resource type with this code already exists")
    row = add_type(call.portal, str(fields.pop("name")), str(fields.pop("code")), **fields)
    event.emit(call.portal, "ONBOOKINGRESOURCETYPEADD", {"ID": str(row["id"])}, call.user.id)
    return {"id": row["id"]}


# Resources ------------------------------------------------------------------------------------------------------


@method("booking.v1.resource.list", scope="booking")
def resource_list(call: Call) -> Any:
    rows = _listed(call, list(call.portal.booking_resources.values()), ("isMain", "typeId", "name", "description"))
    return {"resource": [_shown(row) for row in rows]}


@method("booking.v1.resource.get", scope="booking")
def resource_get(call: Call) -> Any:
    return {"resource": _shown(_found(call.portal.booking_resources, call, "id", 1009))}


@method("booking.v1.resource.add", scope="booking", write=True)
def resource_add(call: Call) -> Any:
    fields = _fields(call, ("name",))
    row = add_resource(call.portal, _type_of(call, fields), str(fields.pop("name")), None, **_rest(fields))
    event.emit(call.portal, "ONBOOKINGRESOURCEADD", {"ID": str(row["id"])}, call.user.id)
    return {"id": row["id"]}


def _type_of(call: Call, fields: Json) -> int:
    if fields.get("typeId") in (None, ""):
        raise RestError(1006, "ResourceType not found")
    type_id = integer(fields["typeId"], 0)
    if type_id not in call.portal.booking_types:
        raise RestError(1013, f"Resource type with id {fields['typeId']} does not exist")
    return type_id


def _rest(fields: Json) -> Json:
    return {key: value for key, value in fields.items() if key not in ("typeId", "slots")}


@method("booking.v1.resource.update", scope="booking", write=True)
def resource_update(call: Call) -> Any:
    row, fields = _found(call.portal.booking_resources, call, "id", 1009), mapping(call.exact("fields"))
    if "typeId" in fields:
        row["typeId"] = _type_of(call, fields)
    for key in ("name", "description", "isMain", *DEFAULTS):
        if key in fields:
            row[key] = fields[key]
    row |= {shown: fields[asked] for asked, (shown, _) in RENAMED.items() if asked in fields}
    event.emit(call.portal, "ONBOOKINGRESOURCEUPDATE", {"ID": str(row["id"])}, call.user.id)
    return True


@method("booking.v1.resource.delete", scope="booking", write=True)
def resource_delete(call: Call) -> Any:
    row = _found(call.portal.booking_resources, call, "id", 1008)
    del call.portal.booking_resources[row["id"]]
    event.emit(call.portal, "ONBOOKINGRESOURCEDELETE", {"ID": str(row["id"])}, call.user.id)
    return True


# Hours ----------------------------------------------------------------------------------------------------------


@method("booking.v1.resource.slots.list", scope="booking")
def slots_list(call: Call) -> Any:
    return {"slots": _found(call.portal.booking_resources, call, "resourceId", 1009)["slots"]}


@method("booking.v1.resource.slots.set", scope="booking", write=True)
def slots_set(call: Call) -> Any:
    row = _found(call.portal.booking_resources, call, "resourceId", 1009)
    slots = [_slot(call, mapping(one)) for one in values(call.exact("slots"))]
    row["slots"] = slots
    return True


def _slot(call: Call, given: Json) -> Json:
    needed = ("from", "to", "timezone", "weekDays", "slotSize")
    missing = [name for name in needed if given.get(name) in (None, "")]
    if missing:
        raise RestError(0, f"Required fields: {', '.join(missing)}")
    start, end, days = (
        integer(given["from"], -1),
        integer(given["to"], -1),
        [str(day) for day in values(given["weekDays"])],
    )
    if not 0 <= start <= end <= 1440 or not set(days) <= set(DAYS):
        raise RestError(422, "Invalid value of the field")
    return {
        "id": call.portal.next_id("booking_slot"), "from": start, "to": end, "timezone": str(given["timezone"]),
        "weekDays": days, "slotSize": integer(given["slotSize"], 0),
    }  # fmt: skip


@method("booking.v1.resource.slots.unset", scope="booking", write=True)
def slots_unset(call: Call) -> Any:
    _found(call.portal.booking_resources, call, "resourceId", 1009)["slots"] = []
    return True
