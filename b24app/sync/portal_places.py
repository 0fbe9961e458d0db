"""What a portal has already that could be booked: employees, meeting rooms, resources of its own bookings.

https://apidocs.bitrix24.com/api-reference/departments/department-get.html
https://apidocs.bitrix24.com/api-reference/calendar/calendar-section-get.html
https://apidocs.bitrix24.com/api-reference/calendar/resource/calendar-resource-list.html
https://apidocs.bitrix24.com/api-reference/booking/resource/booking-v1-resource-list.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from b24app.bitrix.client import BATCH, Command, PortalClient
from b24app.bitrix.loose import as_map, number, text, whole
from b24app.errors import Rejected
from b24app.ledger.people import Employee
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours, is_zone
from b24app.sync.people import access_codes

LONGEST_NAME = 120
MOST = 500
MOST_DEPARTMENTS = 2000
WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
SLOT_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PEOPLE, ROOMS, OLD, NATIVE = "people", "rooms", "old", "native"


@dataclass(frozen=True, slots=True)
class Department:
    """A department in the tree of the company; `depth` is 0 at its top."""

    id: int
    name: str
    depth: int


@dataclass(frozen=True, slots=True)
class Found:
    """Something that can be booked. `given`: fields of a resource that the portal knows; `person` when it is somebody;
    `kind`: "" where the portal does not say what it is; `about`: what else it says."""

    id: int
    name: str
    kind: str = ""
    about: str = ""
    given: Mapping[str, Any] = field(default_factory=dict, hash=False)
    person: Employee | None = None


def departments(client: PortalClient) -> list[Department]:
    """(calls) The tree of the company from the top down."""
    rows = islice(client.list_all("department.get"), MOST_DEPARTMENTS)
    known = {number: row for row in map(as_map, rows) if (number := whole(row.get("ID")))}
    below: dict[int, list[int]] = {}
    for number_of, row in known.items():
        parent = whole(row.get("PARENT")) or 0
        below.setdefault(parent if parent in known else 0, []).append(number_of)
    return list(_tree(0, -1, known, below))


def _tree(
    top: int, depth: int, known: Mapping[int, Mapping[str, Any]], below: dict[int, list[int]]
) -> Iterator[Department]:
    if top:
        yield Department(top, text(known[top].get("NAME"))[:LONGEST_NAME] or f"№ {top}", depth)
    for one in below.pop(top, ()):  # popped: whatever the portal says, the tree has an end
        yield from _tree(one, depth + 1, known, below)


def with_those_below(tree: Sequence[Department], department_id: int) -> set[int]:
    """This department and all that belong to it."""
    start = next((place for place, one in enumerate(tree) if one.id == department_id), None)
    if start is None:
        return set()
    after = next((n for n in range(start + 1, len(tree)) if tree[n].depth <= tree[start].depth), len(tree))
    return {one.id for one in tree[start:after]}


def employees(client: PortalClient, department_ids: set[int]) -> list[Found]:
    """(calls) Who works in one of these departments, or without any named everybody; 500 at most."""
    wanted: dict[str, Any] = {"ACTIVE": True, "USER_TYPE": "employee"}
    if department_ids:
        wanted["UF_DEPARTMENT"] = sorted(department_ids)
    rows = client.list_all("user.get", {"FILTER": wanted, "SORT": "LAST_NAME"})
    hours = work_week(client)
    found = (_employee(row, hours) for row in map(as_map, rows) if _works_there(row, department_ids))
    return list(islice((one for one in found if one is not None), MOST))


def _works_there(row: Mapping[str, Any], department_ids: set[int]) -> bool:
    """Looked at once more: what a filter does with several departments is not documented."""
    return not department_ids or bool(department_ids & set(map(whole, as_map(row.get("UF_DEPARTMENT")).values())))


def _employee(row: Mapping[str, Any], hours: tuple[OpeningHours, ...]) -> Found | None:
    user_id = whole(row.get("ID"))
    if not user_id:
        return None
    name = " ".join(filter(None, (text(row.get(part)) for part in ("NAME", "LAST_NAME"))))[:LONGEST_NAME]
    given: dict[str, Any] = {"portal_user_id": user_id, "capacity": 1} | ({"hours": hours} if hours else {})
    zone = text(row.get("TIME_ZONE"))
    if zone and is_zone(zone):
        given["time_zone"] = zone
    person = Employee(user_id, name or f"№ {user_id}", access_codes(user_id, row))
    return Found(user_id, person.name, "specialist", text(row.get("WORK_POSITION")), given, person)


def work_week(client: PortalClient) -> tuple[OpeningHours, ...]:
    """(calls) When the company works, by the settings of its calendar; nothing when they say nothing usable."""
    try:
        settings = as_map(client.call("calendar.settings.get"))
    except Rejected:
        return ()
    opens, closes = (_clock(settings.get(name)) for name in ("work_time_start", "work_time_end"))
    if opens is None or closes is None or not opens < closes:
        return ()
    free = set(as_map(settings.get("week_holidays")).values())
    return tuple(OpeningHours(day, opens, closes) for day, code in enumerate(WEEK) if code not in free)


def _clock(value: Any) -> int | None:
    """ "9" and "9.30" as minutes: hours, a point, minutes."""
    hour, _, minute = str(value if value is not None else "").partition(".")
    if not (hour.isdecimal() and (minute or "0").isdecimal() and len(hour) <= 2 and len(minute) <= 2):
        return None
    found = int(hour) * 60 + int((minute or "0").ljust(2, "0"))
    return found if found <= DAY_MINUTES else None


def rooms(client: PortalClient) -> list[Found]:
    """(calls) The meeting rooms of the calendar: each is a section there."""
    rows = as_map(client.call("calendar.section.get", {"type": "location", "ownerId": 0})).values()
    hours = work_week(client)
    given = {"hours": hours} if hours else {}
    return [
        Found(number_of, _named(row, number_of), "room", text(row.get("DESCRIPTION"))[:200], given)
        for row in islice(map(as_map, rows), MOST)
        if (number_of := whole(row.get("ID")))
    ]


def old_resources(client: PortalClient) -> list[Found]:
    """(calls) Resources of the old field "resource booking" in deals and leads: the portal knows only their names."""
    rows = islice(map(as_map, client.list_all("calendar.resource.list")), MOST)
    return [Found(number_of, _named(row, number_of)) for row in rows if (number_of := whole(row.get("ID")))]


def native_resources(client: PortalClient) -> list[Found]:
    """(calls) Resources of the portal's own online booking, with their hours. Raises Rejected without its scope."""
    rows = list(islice(map(as_map, client.list_all("booking.v1.resource.list", key="resource")), MOST))
    types = _types(client)
    slots = _slots(client, [number_of for row in rows if (number_of := whole(row.get("id")))])
    found = []
    for row in rows:
        number_of = whole(row.get("id"))
        if number_of:
            kind = types.get(whole(row.get("typeId")) or 0, {})
            about = text(kind.get("name")) or text(row.get("description"))
            given = _hours_of(slots.get(number_of, []))
            found.append(Found(number_of, _named(row, number_of, "name"), _kind_of(row, kind), about[:200], given))
    return found


def _types(client: PortalClient) -> dict[int, Mapping[str, Any]]:
    """By id; the documentation calls the list "resource" in one place, and "resourceType" would be like the others."""
    result = as_map(client.call("booking.v1.resourceType.list"))
    rows = map(as_map, as_map(result.get("resource") or result.get("resourceType")).values())
    return {number_of: row for row in rows if (number_of := whole(row.get("id")))}


def _slots(client: PortalClient, resource_ids: Sequence[int]) -> dict[int, list[Mapping[str, Any]]]:
    """Hours of each, fifty resources in a request; one whose hours cannot be read has the usual ones."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for start in range(0, len(resource_ids), BATCH):
        asked = {
            f"r{one}": Command("booking.v1.resource.slots.list", {"resourceId": one})
            for one in resource_ids[start : start + BATCH]
        }
        for key, result in client.batch(asked).results.items():
            found[int(key[1:])] = list(map(as_map, as_map(as_map(result).get("slots")).values()))
    return found


def _kind_of(row: Mapping[str, Any], kind: Mapping[str, Any]) -> str:
    """Messages about living resources have words of their own; the rest says nothing that can be relied on."""
    return "specialist" if row.get("templateTypeConfirmation") == "animate" else _by_code(text(kind.get("code")))


def _by_code(code: str) -> str:
    signs = {"equip": "equipment", "expert": "specialist", "doctor": "specialist", "car": "vehicle", "room": "room"}
    return next((kind for sign, kind in signs.items() if sign in code.lower()), "")


def _hours_of(slots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Hours, steps and zone as fields of a resource; nothing where the portal says nothing usable."""
    by_day: dict[int, list[tuple[int, int]]] = {}
    for slot in slots:
        opens, closes = (number(slot.get(name)) for name in ("from", "to"))
        if opens is not None and closes is not None and 0 <= opens < closes <= DAY_MINUTES:
            for day in as_map(slot.get("weekDays")).values():
                if day in SLOT_DAYS:
                    by_day.setdefault(SLOT_DAYS.index(day), []).append((int(opens), int(closes)))
    if not by_day:
        return {}
    week = tuple(OpeningHours(day, *one) for day in sorted(by_day) for one in _joined(by_day[day]))
    zone, size = text(slots[0].get("timezone")), whole(slots[0].get("slotSize")) or 0
    given: dict[str, Any] = {"hours": week} | ({"time_zone": zone} if zone and is_zone(zone) else {})
    if 0 < size <= DAY_MINUTES:
        given |= {"step_minutes": math.gcd(size, DAY_MINUTES), "min_minutes": size}
    return given


def _joined(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time without overlaps."""
    found: list[tuple[int, int]] = []
    for opens, closes in sorted(stretches):
        if found and opens <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], closes))
        else:
            found.append((opens, closes))
    return found


def _named(row: Mapping[str, Any], number_of: int, name: str = "NAME") -> str:
    return " ".join(text(row.get(name)).split())[:LONGEST_NAME] or f"№ {number_of}"


SOURCES: Mapping[str, Callable[[PortalClient], list[Found]]] = {
    ROOMS: rooms, OLD: old_resources, NATIVE: native_resources,
}  # fmt: skip
