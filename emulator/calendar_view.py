"""What people see of calendars: ``entries`` of one calendar, ``shown`` for one event, ``accessible`` for planners.

Event objects are strings nearly everywhere, their dates are localized and only ``*_TS_UTC`` is the truth. Facts: the
fields of an event and "calendar-accessibility-get" of the documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from emulator import calendar_rules, calendar_zones
from emulator.calendar_sections import find_section, may_see
from emulator.calendar_store import copies_of
from emulator.calendar_zones import Span
from emulator.state import Json, Portal, User

DEFAULT_PAST, DEFAULT_FUTURE = 31, 92  # days around today when a list names no window
HIDDEN = "Событие закрыто"
DAY_S = 86400


def span_of(row: Json) -> Span:
    return Span(row["start"], row["end"], row["zone_from"], row["zone_to"], row["whole_days"])


def is_foreign_private(row: Json, user: User) -> bool:
    """A private event shows others only that its owner is busy; REST hides it from their tokens.

    Only personal calendars have such: the owner alone sees it, neither administrators nor whoever made it.
    """
    return bool(row["private"]) and row["type"] == "user" and row["owner"] != user.id


def readable(portal: Portal, user: User, row: Json) -> bool:
    return may_see(portal, user, find_section(portal, row["section"])) and not is_foreign_private(row, user)


def window(params: Json, user: User, now: float) -> tuple[int, int]:
    """The window of a list as unix seconds, whole days in the caller's zone; a month back, three ahead by default."""
    today = datetime.fromtimestamp(now, ZoneInfo(user.time_zone)).date()
    first = calendar_zones.read_day(params.get("from")) or today - timedelta(days=DEFAULT_PAST)
    last = calendar_zones.read_day(params.get("to")) or today + timedelta(days=DEFAULT_FUTURE)
    return _midnight(first, user.time_zone), _midnight(last + timedelta(days=1), user.time_zone)


def _midnight(day: date, zone: str) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


def occurrences(rows: Iterable[Json], start: int, end: int) -> Iterator[tuple[Json, Span]]:
    """Events and the single occurrences of recurring ones that touch a window."""
    for row in rows:
        for span in calendar_rules.spans(row, span_of(row), end):
            if span.start < end and span.busy_until > start:
                yield row, span


def entries(
    portal: Portal, user: User, kind: str, owner: int, start: int, end: int, sections: list[int] | None = None
) -> list[Json]:
    """What a user sees of one calendar in a window, as event objects of REST, by start."""
    rows = [
        row
        for row in portal.events.values()
        if row["type"] == kind and row["owner"] == owner and (not sections or row["section"] in sections)
    ]
    seen = [(row, span) for row, span in occurrences(rows, start, end) if readable(portal, user, row)]
    seen.sort(key=lambda pair: (pair[1].start, pair[0]["id"]))
    return [shown(portal, user, row, span) for row, span in seen]


def shown(portal: Portal, user: User, row: Json, span: Span | None = None) -> Json:
    """An event object: strings nearly everywhere, dates localized, the truth in ``*_TS_UTC``."""
    at = span or span_of(row)
    return _identity(row, at, user) | _times(row, at, user) | _people(portal, row)


def _identity(row: Json, at: Span, user: User) -> Json:
    return {
        "ID": str(row["id"]),
        "PARENT_ID": str(row["parent_id"]),
        "DELETED": "N",
        "CAL_TYPE": row["type"],
        "OWNER_ID": str(row["owner"]),
        "NAME": row["name"],
        "EVENT_TYPE": None,
        "CREATED_BY": str(row["created_by"]),
        "DATE_CREATE": calendar_zones.shown(row["created"], user.time_zone, False, user.lang),
        "TIMESTAMP_X": calendar_zones.shown(row["stamp"], user.time_zone, False, user.lang),
        "DESCRIPTION": row["description"],
        "PRIVATE_EVENT": "1" if row["private"] else "",
        "ACCESSIBILITY": row["accessibility"],
        "IMPORTANCE": row["importance"],
        "LOCATION": row["location"],
        "REMIND": row["remind"],
        "COLOR": row["color"],
        "TEXT_COLOR": row["text_color"],
        "RRULE": calendar_rules.shown(row["rrule"], user.lang) if row["rrule"] else "",
        "EXDATE": ";".join(row["exdate"]),
        "DAV_XML_ID": row["xml_id"],
        "G_EVENT_ID": "",
        "CAL_DAV_LABEL": "",
        "VERSION": str(row["version"]),
        "RECURRENCE_ID": row["recurrence_id"],
        "RELATIONS": "",
        "SECTION_ID": str(row["section"]),
        "SECT_ID": str(row["section"]),
        "SYNC_STATUS": None,
        "UF_CRM_CAL_EVENT": list(row["crm"]) or False,
        "UF_WEBDAV_CAL_EVENT": False,
        "COLLAB_ID": None,
        "~DESCRIPTION": row["description"],
    }


def _times(row: Json, at: Span, user: User) -> Json:
    """Whole days are midnight UTC of their dates, the last one inclusive; the length counts it."""
    return {
        "DATE_FROM": calendar_zones.shown(at.start, at.zone_from, at.whole_days, user.lang),
        "DATE_TO": calendar_zones.shown(at.end, at.zone_to, at.whole_days, user.lang),
        "ORIGINAL_DATE_FROM": None,
        "TZ_FROM": at.zone_from,
        "TZ_TO": at.zone_to,
        "TZ_OFFSET_FROM": str(calendar_zones.offset(at.start, at.zone_from)),
        "TZ_OFFSET_TO": str(calendar_zones.offset(at.end, at.zone_to)),
        "DATE_FROM_TS_UTC": str(at.start),
        "DATE_TO_TS_UTC": str(at.end),
        "DT_SKIP_TIME": "Y" if at.whole_days else "N",
        "DT_LENGTH": at.busy_until - at.start,
        "DATE_FROM_FORMATTED": calendar_zones.formatted(at.start, at.zone_from, at.whole_days),
        "DATE_TO_FORMATTED": calendar_zones.formatted(at.end, at.zone_to, at.whole_days),
        **_user_offsets(at, user),
    }


def _user_offsets(at: Span, user: User) -> Json:
    """How far the event's clock is from the viewer's, in seconds."""
    return {
        "~USER_OFFSET_FROM": calendar_zones.offset(at.start, user.time_zone)
        - calendar_zones.offset(at.start, at.zone_from),
        "~USER_OFFSET_TO": calendar_zones.offset(at.end, user.time_zone) - calendar_zones.offset(at.end, at.zone_to),
    }


def _people(portal: Portal, row: Json) -> Json:
    """Who takes part; an entry that is no meeting has nobody but its maker."""
    if not row["is_meeting"]:
        return {
            "IS_MEETING": False,
            "MEETING_STATUS": None,
            "MEETING_HOST": str(row["host"]),
            "MEETING": False,
            "ATTENDEES_CODES": [f"U{row['created_by']}"],
            "ATTENDEE_LIST": [],
            "attendeesEntityList": [],
        }
    parent = portal.events.get(row["parent_id"], row)
    copies = {one["owner"]: one for one in copies_of(portal, parent["id"])}
    guests = [(number, copies.get(number, parent)) for number in parent["attendees"]]
    return {
        "IS_MEETING": True,
        "MEETING_STATUS": row["status"],
        "MEETING_HOST": str(row["host"]),
        "MEETING": _meeting(portal, row),
        "ATTENDEES_CODES": [f"U{number}" for number in parent["attendees"]],
        "ATTENDEE_LIST": [
            {"id": number, "entryId": str(one["id"]), "status": "H" if number == row["host"] else one["status"]}
            for number, one in guests
        ],
        "attendeesEntityList": [{"entityId": "user", "id": number} for number, _ in guests],
    }


def _meeting(portal: Portal, row: Json) -> Json:
    host = portal.user(row["host"])
    return {
        "HOST_NAME": host.full_name if host else "",
        "NOTIFY": True,
        "REINVITE": False,
        "ALLOW_INVITE": False,
        "HIDE_GUESTS": False,
        "MEETING_CREATOR": row["created_by"],
        "LANGUAGE_ID": portal.lang,
        "MAIL_FROM": "",
        **row["meeting"],
    }


def taken(portal: Portal, viewer: User, owner: int, start: int, end: int) -> list[Json]:
    rows = [row for row in portal.events.values() if row["type"] == "user" and row["owner"] == owner]
    found = [(row, at) for row, at in occurrences(rows, start, end) if row["status"] != "N"]
    known = [_accessible(row, at, viewer) for row, at in sorted(found, key=lambda pair: pair[1].start)]
    return known + absences(portal, owner, start, end)


def absences(portal: Portal, owner: int, start: int, end: int) -> list[Json]:
    """Absences of the personnel records: other keys than events have, and midnights of the server's zone.

    Facts: the platform's source; the documentation does not mention them.
    """
    found = [_absence(portal, one) for one in portal.absences if one["user_id"] == owner]
    return [one for one in found if one["FROM"] < end and one["TO"] + DAY_S > start]


def _absence(portal: Portal, row: Json) -> Json:
    first, last = (date.fromisoformat(row[key]) for key in ("first", "last"))
    written = calendar_zones.DAY_FORMATS.get(portal.lang, calendar_zones.DAY_FORMATS["en"])
    return {
        "FROM_HR": True,
        "ID": str(row["id"]),
        "DT_FROM": first.strftime(written),
        "DT_TO": last.strftime(written),
        "ACCESSIBILITY": "absent",
        "IMPORTANCE": "normal",
        "FROM": _midnight(first, portal.time_zone),
        "TO": _midnight(last, portal.time_zone),
    }


def _accessible(row: Json, at: Span, viewer: User) -> Json:
    times = _times(row, at, viewer)
    names = (
        "DATE_FROM", "DATE_TO", "DATE_FROM_TS_UTC", "DATE_TO_TS_UTC", "~USER_OFFSET_FROM", "~USER_OFFSET_TO",
        "DT_SKIP_TIME", "TZ_FROM", "TZ_TO",
    )  # fmt: skip
    return {
        "ID": str(row["id"]),
        "NAME": HIDDEN if is_foreign_private(row, viewer) else row["name"],
        **{name: times[name] for name in names},
        "ACCESSIBILITY": row["accessibility"],
        "IMPORTANCE": row["importance"],
        "EVENT_TYPE": None,
    }
