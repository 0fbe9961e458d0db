"""Resources of the old field "resource booking" of deals and leads: ``calendar.resource.*``.

Facts: "calendar/resource" of the documentation. Each is a section of the calendar. REST cannot make their bookings.
"""

from __future__ import annotations

from typing import Any

from emulator import event
from emulator.calendar_sections import add_section, may_edit
from emulator.call import Call, integer, mapping, method, values
from emulator.errors import RestError
from emulator.state import Json

TYPE = "resource"


def resources(call: Call) -> list[Json]:
    return [row for row in call.portal.sections.values() if row["type"] == TYPE]


def _needed(call: Call, name: str) -> Any:
    value = call.params.get(name)
    if value in (None, "", [], {}):
        raise RestError("", f'Не задан обязательный параметр "{name}" для метода "{call.method}"')
    return value


def _inside(call: Call) -> None:
    if call.user.extranet:
        raise RestError("", "Доступ запрещен")


def _one(call: Call) -> Json:
    _inside(call)
    row = call.portal.sections.get(integer(_needed(call, "resourceId"), 0))
    if row is None or row["type"] != TYPE or not may_edit(call.portal, call.user, row):
        raise RestError("", "Доступ запрещен")
    return row


@method("calendar.resource.list", scope="calendar")
def resource_list(call: Call) -> Any:
    _inside(call)
    rows = [
        {"ID": str(row["id"]), "NAME": row["name"], "CREATED_BY": str(row["created_by"])} for row in resources(call)
    ]
    return call.page(rows)


@method("calendar.resource.add", scope="calendar", write=True)
def resource_add(call: Call) -> Any:
    _inside(call)
    row = add_section(call.portal, TYPE, 0, str(_needed(call, "name")), call.user.id, call.now)
    event.emit(call.portal, "ONCALENDARSECTIONADD", {"id": row["id"]}, call.user.id)
    return row["id"]


@method("calendar.resource.update", scope="calendar", write=True)
def resource_update(call: Call) -> Any:
    row = _one(call)
    row["name"], row["stamp"] = str(_needed(call, "name")), int(call.now)
    event.emit(call.portal, "ONCALENDARSECTIONUPDATE", {"id": row["id"]}, call.user.id)
    return row["id"]


@method("calendar.resource.delete", scope="calendar", write=True)
def resource_delete(call: Call) -> Any:
    row = _one(call)
    del call.portal.sections[row["id"]]
    event.emit(call.portal, "ONCALENDARSECTIONDELETE", {"id": row["id"]}, call.user.id)
    return True


@method("calendar.resource.booking.list", scope="calendar")
def booking_list(call: Call) -> Any:
    """Nobody has booked any: that is done in the card of a deal, with a field that this portal does not have."""
    _inside(call)
    given = mapping(_needed(call, "filter"))
    if not values(given.get("resourceTypeIdList")) and not values(given.get("resourceIdList")):
        raise RestError("", f'Не задан обязательный параметр "resourceTypeIdList" для метода "{call.method}"')
    return call.page([])
