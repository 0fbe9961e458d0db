"""Calendars (sections) and who may use them: ``calendar.section.*``, ``calendar.settings.get`` and user settings.

Facts: "calendar/calendar-section-*" of the documentation. REST cannot make sections of the company calendar.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from emulator import event
from emulator.call import Call, integer, mapping, method
from emulator.errors import RestError
from emulator.state import Json, Portal, User

TYPES = ("user", "group", "company_calendar", "location")
OWNERLESS = ("company_calendar", "location")
WHOLE_ACCESS = 19


def add_section(portal: Portal, kind: str, owner: int, name: str, author: int, now: float, **texts: str) -> Json:
    """Create a calendar; the portal itself may make any kind."""
    row: Json = {
        "id": portal.next_id("section"),
        "type": kind,
        "owner": 0 if kind in OWNERLESS else owner,
        "name": name,
        "description": texts.get("description", ""),
        "color": texts.get("color") or "#9cbeee",
        "text_color": texts.get("text_color", ""),
        "created_by": author,
        "created": int(now),
        "stamp": int(now),
        "export": True,
    }
    portal.sections[row["id"]] = row
    return row


def find_section(portal: Portal, section_id: int) -> Json:
    row = portal.sections.get(section_id)
    if row is None:
        raise RestError("", "Неверно указан id секции календаря или нет доступа к нему")
    return row


def section_for(portal: Portal, kind: str, owner: int) -> Json:
    """The first calendar of an owner; a person's is made when he has none yet."""
    rows = [row for row in portal.sections.values() if row["type"] == kind and row["owner"] == owner]
    if rows:
        return rows[0]
    user = portal.user(owner) if kind == "user" else None
    if user is None:
        raise RestError("", "Неверно указан id секции календаря или нет доступа к нему")
    return add_section(portal, "user", owner, user.full_name, owner, portal.world.now())


def may_see(portal: Portal, user: User, section: Json) -> bool:
    """Employees see each other's and the company's calendars; a group's only its members do."""
    if user.extranet:
        return False
    return section["type"] != "group" or user.is_admin or section["owner"] in user.groups


def may_edit(portal: Portal, user: User, section: Json) -> bool:
    """Who may add and change events there; the company calendar obeys a knob."""
    if section["type"] == "user":
        return user.is_admin or section["owner"] == user.id
    if section["type"] == "group":
        return user.is_admin or section["owner"] in user.groups
    if section["type"] == "company_calendar":
        allowed = portal.world.knobs.company_calendar_write
        return allowed == "everybody" or (allowed == "admins" and user.is_admin)
    return not user.extranet


def shown(portal: Portal, user: User, row: Json) -> Json:
    """A section object; ``PERM`` is what the caller himself may do."""
    edit = may_edit(portal, user, row)
    return {
        "ID": str(row["id"]),
        "NAME": row["name"],
        "GAPI_CALENDAR_ID": None,
        "DESCRIPTION": row["description"],
        "COLOR": row["color"],
        "TEXT_COLOR": row["text_color"],
        "EXPORT": {"ALLOW": row["export"]},
        "CAL_TYPE": row["type"],
        "OWNER_ID": str(row["owner"]),
        "CREATED_BY": str(row["created_by"]),
        "DATE_CREATE": _stamp(portal, row["created"]),
        "TIMESTAMP_X": _stamp(portal, row["stamp"]),
        "CAL_DAV_CON": None,
        "SYNC_TOKEN": None,
        "PAGE_TOKEN": None,
        "EXTERNAL_TYPE": "local",
        "ACCESS": {f"U{row['created_by']}": WHOLE_ACCESS},
        "IS_COLLAB": False,
        "PERM": {
            **dict.fromkeys(("view_time", "view_title", "view_full"), True),
            **dict.fromkeys(("add", "edit", "edit_section", "access"), edit),
        },
    }


def _stamp(portal: Portal, seconds: int) -> str:
    return datetime.fromtimestamp(seconds, portal.zone()).strftime("%Y-%m-%d %H:%M:%S")


# Methods --------------------------------------------------------------------------------------------------------


def _required(call: Call, name: str) -> Any:
    value = call.params.get(name)
    if value in (None, ""):
        raise RestError("", f'Не задан обязательный параметр "{name}" для метода "{call.method}"')
    return value


def _denied() -> RestError:
    return RestError("", "Доступ запрещен")


def _text(call: Call, name: str) -> str:
    value = call.params.get(name)
    if isinstance(value, (list, dict)):
        raise RestError("", f'Неверное значение параметра "{name}"')
    return "" if value is None else str(value)


def _owned(call: Call) -> Json:
    """The section a change names, when the caller may change it."""
    kind, _ = _required(call, "type"), _required(call, "ownerId")
    row = find_section(call.portal, integer(_required(call, "id"), 0))
    if row["type"] != kind or not may_edit(call.portal, call.user, row):
        raise _denied()
    return row


@method("calendar.section.add", scope="calendar", write=True)
def section_add(call: Call) -> Any:
    kind = str(_required(call, "type"))
    if kind != "user":
        _required(call, "ownerId")
    if kind not in ("user", "group"):
        raise _denied()
    owner = integer(call.params.get("ownerId"), call.user.id)
    name = str(_required(call, "name"))
    known = call.portal.users if kind == "user" else call.portal.groups
    if owner not in known or not may_edit(call.portal, call.user, {"type": kind, "owner": owner}):
        raise _denied()
    texts = {key: _text(call, key) for key in ("description", "color", "text_color")}
    row = add_section(call.portal, kind, owner, name, call.user.id, call.now, **texts)
    event.emit(call.portal, "ONCALENDARSECTIONADD", {"id": row["id"]}, call.user.id)
    return row["id"]


@method("calendar.section.update", scope="calendar", write=True)
def section_update(call: Call) -> Any:
    row = _owned(call)
    for name in ("name", "description", "color", "text_color"):
        if name in call.params:
            row[name] = _text(call, name)
    row["stamp"] = int(call.now)
    event.emit(call.portal, "ONCALENDARSECTIONUPDATE", {"id": row["id"]}, call.user.id)
    return row["id"]


@method("calendar.section.delete", scope="calendar", write=True)
def section_delete(call: Call) -> Any:
    """The events of the calendar go with it."""
    row = _owned(call)
    call.portal.events = {k: one for k, one in call.portal.events.items() if one["section"] != row["id"]}
    del call.portal.sections[row["id"]]
    event.emit(call.portal, "ONCALENDARSECTIONDELETE", {"id": row["id"]}, call.user.id)
    return True


@method("calendar.section.get", scope="calendar")
def section_get(call: Call) -> Any:
    kind = str(_required(call, "type"))
    default = call.user.id if kind == "user" else 0
    owner = 0 if kind in OWNERLESS else integer(call.params.get("ownerId"), default)
    rows = [row for row in call.portal.sections.values() if row["type"] == kind and row["owner"] == owner]
    return [shown(call.portal, call.user, row) for row in rows if may_see(call.portal, call.user, row)]


@method("calendar.settings.get", scope="calendar")
def settings(call: Call) -> Any:
    return {
        "work_time_start": "9",
        "work_time_end": "19",
        "year_holidays": "1.01,2.01,7.01,23.02,8.03,1.05,9.05,12.06,4.11",
        "year_workdays": "31.12",
        "week_holidays": ["SA", "SU"],
        "week_start": "MO",
        "user_name_template": "#NAME# #LAST_NAME#",
        "sync_by_push": False,
        "user_show_login": True,
        "path_to_user": "/company/personal/user/#user_id#/",
        "path_to_user_calendar": "/company/personal/user/#user_id#/calendar/",
        "path_to_group": "/workgroups/group/#group_id#/",
        "path_to_group_calendar": "/workgroups/group/#group_id#/calendar/",
        "dep_manager_sub": True,
        "denied_superpose_types": [],
        "path_to_type_company_calendar": "/calendar/",
        "path_to_type_location": "/calendar/rooms/",
    }


@method("calendar.user.settings.get", scope="calendar")
def user_settings(call: Call) -> Any:
    user = call.user
    home = str(section_for(call.portal, "user", user.id)["id"])
    delta = datetime.fromtimestamp(call.now, ZoneInfo(user.time_zone)).utcoffset()
    return {
        "view": "month",
        "meetSection": home,
        "crmSection": home,
        "showDeclined": False,
        "denyBusyInvitation": False,
        "lastUsedSection": "false",
        "defaultSections": {f"user{user.id}": home},
        "defaultReminders": {"fullDay": [], "withTime": [{"type": "min", "count": 15}]},
        "timezoneName": user.time_zone,
        "timezoneOffsetUTC": int(delta.total_seconds()) if delta else 0,
        "timezoneDefaultName": "",
        "work_time_start": "9.00",
        "work_time_end": "19.00",
        **user.settings,
    }


@method("calendar.user.settings.set", scope="calendar", write=True)
def set_user_settings(call: Call) -> Any:
    call.user.settings |= mapping(_required(call, "settings"))
    return True
