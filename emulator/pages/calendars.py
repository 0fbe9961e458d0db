"""The company's and the employees' calendars: a week in the viewer's zone, and the views of applications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import abort, jsonify, render_template, request
from werkzeug.wrappers import Response

from emulator import people_calendar, placement
from emulator.calendar_sections import may_edit
from emulator.errors import RestError
from emulator.pages import records
from emulator.pages.frames import layout
from emulator.pages.records import Part
from emulator.pages.viewer import Viewer, viewer
from emulator.pages.week import DAY_MINUTES, Span, all_day_on, monday_of, pieces_of
from emulator.pages.when import WEEKDAYS, day_words, span_words, week_words, zone_words
from emulator.state import Json

DEFAULT_COLOR = "#2fc6f6"


@dataclass(frozen=True)
class Owner:
    """Whose calendar a page shows, in the words of REST."""

    type: str
    id: int
    title: str


def show_company() -> str:
    return _week_page(Owner("company_calendar", 0, viewer().t("company_calendar")))


def show_personal(user_id: int) -> str:
    """An employee's calendar; what is private in another's shows as busy only."""
    me = viewer()
    user = me.portal.user(user_id)
    if user is None:
        abort(404)
    own = user_id == me.user.id
    title = me.t("my_calendar") if own else me.t("calendar_of", name=user.full_name)
    return _week_page(Owner("user", user_id, title))


def _week_page(owner: Owner) -> str:
    me = viewer()
    monday = monday_of(_asked_day(me))
    sections = _sections(me, owner)
    spans, details = _events(me, owner, monday, sections)
    days = [_day(me, monday + timedelta(days=n), spans) for n in range(7)]
    now = datetime.fromtimestamp(me.now, UTC).astimezone(me.zone)
    return render_template(
        "portal/calendar.html",
        heading=owner.title,
        owner=owner,
        days=days,
        details=details,
        monday=monday,
        title=week_words(monday, me.lang),
        now_top=(now.hour * 60 + now.minute) / DAY_MINUTES * 100,
        views=_views(me, monday),
        sections=sections,
        zone=zone_words(me.zone, now),
        colleagues=_colleagues(me),
    )


def _asked_day(me: Viewer) -> date:
    try:
        return date.fromisoformat(request.args.get("date", ""))
    except ValueError:
        return datetime.fromtimestamp(me.now, UTC).astimezone(me.zone).date()


def _colleagues(me: Viewer) -> list[Part]:
    return [
        Part(user.full_name, f"/company/personal/user/{user.id}/calendar/")
        for user in me.portal.users.values()
        if user.active and user.id != me.user.id
    ]


def _views(me: Viewer, monday: date) -> list[Json]:
    """The applications' views for the switcher; they are told the visible range once and follow events afterwards."""
    shown = {"viewRangeFrom": monday.isoformat(), "viewRangeTo": (monday + timedelta(days=6)).isoformat()}
    return [
        {
            "id": f"view_{one['row']['id']}",
            "title": one["title"],
            "layout": layout(one["card"], code="CALENDAR_GRIDVIEW", row=one["row"], options=shown, mode="tab"),
        }
        for one in placement.widgets(me.portal, me.user, "CALENDAR_GRIDVIEW")
    ]


def _events(me: Viewer, owner: Owner, monday: date, sections: list[Json]) -> tuple[list[Span], dict[int, Json]]:
    """The week's events as spans, and what their pop-ups say, by the number of the span."""
    asked = {
        "type": owner.type,
        "ownerId": owner.id,
        "from": (monday - timedelta(days=1)).isoformat(),
        "to": (monday + timedelta(days=7)).isoformat(),
    }
    known = {str(one["id"]): one for one in sections}
    rows = me.ask("calendar.event.get", asked) or []
    spans = [_span(number, row) for number, row in enumerate(rows)]
    return spans, {
        span.key: _details(me, span, rows[span.key], known.get(str(rows[span.key].get("SECTION_ID")), {}))
        for span in spans
    }


def _span(number: int, row: Json) -> Span:
    """Timestamps of an event are true UTC; of an all-day one they are midnights UTC of its dates, the last included."""
    start, end = (datetime.fromtimestamp(int(row[key]), UTC) for key in ("DATE_FROM_TS_UTC", "DATE_TO_TS_UTC"))
    if row.get("DT_SKIP_TIME") == "Y":
        return Span(number, start, end, start.date(), end.date())
    return Span(number, start, end)


def _details(me: Viewer, span: Span, row: Json, section: Json) -> Json:
    links = [records.bound_item(me, code) for code in row.get("UF_CRM_CAL_EVENT") or []]
    return {
        "id": row["ID"],
        "title": str(row.get("NAME") or me.t("busy")),
        "when": _when(me, span),
        "section": section.get("name", ""),
        "color": _color(row.get("COLOR")) or section.get("color", DEFAULT_COLOR),
        "place": str(row.get("LOCATION") or ""),
        "description": str(row.get("DESCRIPTION") or ""),
        "host": records.user_part(me, row["MEETING_HOST"]).text if row.get("MEETING_HOST") else "",
        "links": [{"text": one.text, "url": one.url} for one in links],
        "attendees": ", ".join(records.user_part(me, one.get("id")).text for one in row.get("ATTENDEE_LIST") or []),
        "start": f"{span.start.astimezone(me.zone):%H:%M}",
        **_form_values(me, span, row),
    }


def _form_values(me: Viewer, span: Span, row: Json) -> Json:
    """What the form of an event starts with, and what the viewer may do with it."""
    section = me.portal.sections.get(int(row.get("SECTION_ID") or 0))
    parent, recurring = row["ID"] == row.get("PARENT_ID"), bool(row.get("RRULE"))
    if span.first_day is None or span.last_day is None:
        start, end = (f"{moment.astimezone(me.zone):%Y-%m-%dT%H:%M}" for moment in (span.start, span.end))
    else:
        start, end = span.first_day.isoformat(), span.last_day.isoformat()
    return {
        "from": start,
        "to": end,
        "allDay": span.all_day,
        "private": row.get("PRIVATE_EVENT") == "1",
        "editable": parent and not recurring and section is not None and may_edit(me.portal, me.user, section),
        "answer": "" if parent or row.get("OWNER_ID") != str(me.user.id) else row.get("MEETING_STATUS", ""),
    }


def _when(me: Viewer, span: Span) -> str:
    if span.first_day is None or span.last_day is None:
        return span_words(span.start, span.end, me.zone, me.lang)
    first, last = day_words(span.first_day, me.lang), day_words(span.last_day, me.lang)
    return f"{first if first == last else f'{first} – {last}'}, {me.t('all_day')}"


def _sections(me: Viewer, owner: Owner) -> list[Json]:
    rows = me.ask("calendar.section.get", {"type": owner.type, "ownerId": owner.id}) or []
    return [
        {"id": one["ID"], "name": str(one["NAME"]), "color": _color(one.get("COLOR")) or DEFAULT_COLOR} for one in rows
    ]


def _color(text: Any) -> str:
    """A colour as #rrggbb; anything else is no colour, so it cannot reach a style."""
    color = str(text or "")
    digits = color.removeprefix("#")
    return f"#{digits}" if len(digits) == 6 and all(c in "0123456789abcdefABCDEF" for c in digits) else ""


def _day(me: Viewer, day: date, spans: list[Span]) -> Json:
    today = datetime.fromtimestamp(me.now, UTC).astimezone(me.zone).date()
    pieces = pieces_of(day, spans, me.zone)
    return {
        "name": WEEKDAYS[me.lang][day.weekday()],
        "number": day.day,
        "iso": day.isoformat(),
        "today": day == today,
        "pieces": pieces,
        "lanes": max((piece.lanes for piece in pieces), default=1),
        "all_day": [span.key for span in all_day_on(day, spans)],
    }


Answer = Response | tuple[Response, int]


def _acted(action: Callable[[Viewer], Any]) -> Answer:
    """Do something as the viewer; the portal's refusal becomes words for him."""
    me = viewer()
    try:
        action(me)
    except (RestError, ValueError) as error:
        return jsonify(error=me.t("event_refused", text=getattr(error, "text", error))), 422
    return jsonify(done=True)


def _number() -> int:
    return int(request.form.get("id") or 0)


def change_event() -> Answer:
    """Save a dragged or edited event: whatever the form holds; times are the viewer's wall clock, or dates."""
    form = request.form
    fields = {name: form[name] for name in ("name", "description", "location") if name in form}
    if "private" in form:
        fields["private_event"] = form["private"]

    def act(me: Viewer) -> None:
        start, end = (_moment(me, form[name]) if name in form else None for name in ("from", "to"))
        people_calendar.edit_event(me.portal, me.user, _number(), start=start, end=end, **fields)

    return _acted(act)


def _moment(me: Viewer, text: str) -> date:
    if len(text) == len("2026-12-01"):
        return date.fromisoformat(text)
    return datetime.fromisoformat(text).replace(tzinfo=me.zone)


def answer_event() -> Answer:
    """Accept or decline an invitation: ``status`` Y or N."""
    answer = people_calendar.decline if request.form.get("status") == "N" else people_calendar.accept
    return _acted(lambda me: answer(me.portal, me.user, _number()))


def delete_event() -> Answer:
    return _acted(lambda me: people_calendar.delete_event(me.portal, me.user, _number()))


def add_event() -> Answer:
    """Save an event typed into the calendar's form; its times are the viewer's wall clock."""
    me, form = viewer(), request.form
    fields = {
        "type": form.get("type"),
        "ownerId": form.get("owner"),
        "name": form.get("name"),
        "section": form.get("section"),
        "from": f"{form.get('from')}:00",
        "to": f"{form.get('to')}:00",
        "timezone_from": me.user.time_zone,
        "timezone_to": me.user.time_zone,
        "private_event": form.get("private", "N"),
    }
    try:
        number = me.ask("calendar.event.add", fields)
    except RestError as error:
        return jsonify(error=me.t("event_refused", text=error.text)), 422
    me.world.touch()
    return jsonify(id=number)
