"""Kept calendar events: ``save_event`` and ``remove_event``.

One row per event (the organizer's) and one more per other attendee, whose ``parent_id`` is the organizer's. Every
refusal is HTTP 400 with an empty code. Facts: "calendar/calendar-event" of the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from emulator import calendar_rules, calendar_zones, event
from emulator.calendar_sections import TYPES, find_section, may_edit, section_for
from emulator.call import integer, mapping, php_truth, truth, values
from emulator.errors import RestError
from emulator.state import Json, Portal, User, hex_id


@dataclass(frozen=True)
class Writer:
    """Who changes a calendar, when, and how many further rounds of events his token may cause."""

    user: User
    now: float
    hops: int | None = None


def refused(text: str = "Доступ запрещен") -> RestError:
    """Calendar refusals have an empty code and a localized text."""
    return RestError("", text)


def save_event(portal: Portal, writer: Writer, params: Json, row: Json | None = None) -> Json:
    """Create (``row`` None) or change an event from the parameters of the REST methods; returns the kept row.

    Raises the documented refusals. Attendees get copies of their own, and every saved row is told by an event.
    """
    changed = dict(row) if row else _blank(portal, writer)
    _set_place(portal, writer, changed, params)
    _set_time(changed, params, writer.user, is_new=row is None)
    _set_texts(changed, params)
    _set_people(changed, params, writer.user)
    changed["stamp"] = int(writer.now)
    had_copies = row is not None and row["is_meeting"]
    if row is None:
        changed["id"] = changed["parent_id"] = portal.next_id("event")
        portal.events[changed["id"]] = changed
    else:
        changed["version"] += 1
        row.update(changed)
        changed = row
    tell(portal, "UPDATE" if row else "ADD", changed["id"], writer)
    if changed["is_meeting"] or had_copies:
        _copy_to_attendees(portal, writer, changed)
    return changed


def _blank(portal: Portal, writer: Writer) -> Json:
    now, user = int(writer.now), writer.user.id
    return {
        "id": 0, "parent_id": 0, "type": "", "owner": 0, "section": 0, "name": "", "description": "", "location": "",
        "start": 0, "end": 0, "zone_from": "", "zone_to": "", "whole_days": False, "rrule": {}, "exdate": [],
        "private": False, "accessibility": "busy", "importance": "normal", "color": "", "text_color": "", "remind": [],
        "crm": [], "created_by": user, "created": now, "stamp": now, "host": user, "is_meeting": False,
        "attendees": [], "meeting": {}, "status": "", "version": 1, "recurrence_id": None,
        "xml_id": f"{now}-{hex_id(32)}@{portal.host}",
    }  # fmt: skip


def _set_place(portal: Portal, writer: Writer, row: Json, params: Json) -> None:
    kind = str(params.get("type") or row["type"])
    if kind not in TYPES:
        raise refused("Неверно указан тип календаря")
    owner = integer(params.get("ownerId"), row["owner"]) if kind not in ("company_calendar", "location") else 0
    section_id = integer(params.get("section"), 0)
    if not section_id:
        section_id = row["section"] or section_for(portal, kind, owner)["id"]
    section = find_section(portal, section_id)
    if (section["type"], section["owner"]) != (kind, owner):
        raise refused("Неверно указан id секции календаря или нет доступа к нему")
    if not may_edit(portal, writer.user, section):
        raise refused()
    row |= {"type": kind, "owner": owner, "section": section_id}


def _set_time(row: Json, params: Json, user: User, is_new: bool) -> None:
    if not is_new and not any(params.get(name) for name in ("from", "to", "from_ts", "to_ts")):
        return
    if not is_new and "skip_time" not in params:
        params = {**params, "skip_time": "Y" if row["whole_days"] else "N"}
    span = calendar_zones.read_span(params, user.time_zone)
    if span is None:
        raise refused("Неверно указано время события")
    row |= {
        "start": span.start, "end": span.end, "zone_from": span.zone_from, "zone_to": span.zone_to,
        "whole_days": span.whole_days,
    }  # fmt: skip


def _set_texts(row: Json, params: Json) -> None:
    for name, key in (("name", "name"), ("description", "description"), ("location", "location"), ("color", "color"),
                      ("text_color", "text_color")):  # fmt: skip
        if name in params:
            if isinstance(params[name], (list, dict)):
                raise refused(f'Неверное значение параметра "{name}"')
            row[key] = str(params[name] if params[name] is not None else "")
    if params.get("accessibility") in ("busy", "absent", "quest", "free"):
        row["accessibility"] = params["accessibility"]
    if params.get("importance") in ("high", "normal", "low"):
        row["importance"] = params["importance"]
    if "private_event" in params:
        row["private"] = truth(params["private_event"])
    if "remind" in params:
        row["remind"] = [_remind(mapping(one)) for one in values(params["remind"])]
    if "crm_fields" in params:
        if not isinstance(params["crm_fields"], list):
            raise refused("Список привязок к CRM должен быть массивом")
        row["crm"] = [str(one) for one in params["crm_fields"]]
    if "rrule" in params:
        row["rrule"] = calendar_rules.read_rule(mapping(params["rrule"]))


def _remind(one: Json) -> Json:
    return {"type": str(one.get("type") or "min"), "count": integer(one.get("count"), 15)}


def _set_people(row: Json, params: Json, user: User) -> None:
    """``is_meeting`` Y without attendees clears them; leaving it out keeps them."""
    if "is_meeting" in params:
        row["is_meeting"] = truth(params["is_meeting"])
        row["attendees"] = [integer(one, 0) for one in values(params.get("attendees")) if integer(one, 0)]
        if row["is_meeting"] and not row["attendees"]:
            row["attendees"] = [row["host"]]
    elif params.get("attendees"):
        row["is_meeting"] = True
        row["attendees"] = [integer(one, 0) for one in values(params["attendees"])]
    if "meeting" in params:
        row["meeting"] = {key.upper(): php_truth(value) for key, value in mapping(params["meeting"]).items()}
    row["status"] = "H" if row["is_meeting"] else ""


COPIED = (
    "name", "description", "location", "start", "end", "zone_from", "zone_to", "whole_days", "rrule", "exdate",
    "private", "accessibility", "importance", "color", "remind", "crm", "host", "is_meeting", "attendees", "meeting",
    "created_by", "stamp",
)  # fmt: skip


def _copy_to_attendees(portal: Portal, writer: Writer, parent: Json) -> None:
    """Each attendee but the organizer owns a copy with an id of its own in his calendar."""
    copies = {row["owner"]: row for row in copies_of(portal, parent["id"])}
    wanted = [n for n in parent["attendees"] if parent["is_meeting"] and n in portal.users and not _is_home(parent, n)]
    for user_id in wanted:
        row = copies.pop(user_id, None)
        verb = "UPDATE" if row else "ADD"
        if row is None:
            section = section_for(portal, "user", user_id)
            row = _blank(portal, writer) | {"id": portal.next_id("event"), "parent_id": parent["id"], "status": "Q"}
            row |= {"type": "user", "owner": user_id, "section": section["id"], "xml_id": parent["xml_id"]}
            portal.events[row["id"]] = row
        row |= {key: parent[key] for key in COPIED}
        tell(portal, verb, row["id"], writer)
    for row in copies.values():
        del portal.events[row["id"]]
        tell(portal, "DELETE", row["id"], writer)


def _is_home(parent: Json, user_id: int) -> bool:
    return parent["type"] == "user" and parent["owner"] == user_id


def copies_of(portal: Portal, parent_id: int) -> list[Json]:
    return [row for row in portal.events.values() if row["parent_id"] == parent_id and row["id"] != parent_id]


def own_copy(portal: Portal, user: User, event_id: int) -> Json | None:
    """A user's own entry of a meeting, whichever of its ids is named."""
    named = portal.events.get(event_id)
    parent = portal.events.get(named["parent_id"]) if named else None
    rows = [parent, *copies_of(portal, parent["id"])] if parent else []
    return next((row for row in rows if row["type"] == "user" and row["owner"] == user.id and row["is_meeting"]), None)


def answer_invitation(portal: Portal, writer: Writer, copy: Json, status: str) -> None:
    """Accept or decline; a knob says whether the portal tells it to applications (the documentation does not)."""
    copy |= {"status": status, "stamp": int(writer.now)}
    if portal.world.knobs.decline_event:
        tell(portal, "UPDATE", copy["id"], writer)


def may_remove(portal: Portal, user: User, row: Json) -> bool:
    """Whoever may write the calendar, and the organizer; others can only take themselves out of a meeting."""
    return row["host"] == user.id or may_edit(portal, user, find_section(portal, row["section"]))


def remove_event(portal: Portal, writer: Writer, row: Json) -> None:
    """Delete an event with the copies of its attendees, and tell each. Deleting an attendee's copy declines for him."""
    if row["id"] != row["parent_id"] and row["parent_id"] in portal.events:
        answer_invitation(portal, writer, row, "N")
        return
    for one in [row, *(copies_of(portal, row["id"]) if row["is_meeting"] else [])]:
        del portal.events[one["id"]]
        tell(portal, "DELETE", one["id"], writer)


def tell(portal: Portal, verb: str, event_id: int, writer: Writer) -> None:
    event.emit(portal, f"ONCALENDARENTRY{verb}", {"id": event_id}, writer.user.id, writer.hops)
