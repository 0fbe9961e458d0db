"""Specialists' calendars, asked through the visitor's own eyes before times are offered to him or taken by him.

What a portal does not tell within a moment is left as it was known: it is advice, and nobody waits for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import current_app

from b24app.errors import AppError
from b24app.ledger import business, queries
from b24app.ledger.business import Wanted
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from b24app.sync import business as calendars
from b24app.web.crm import crm
from b24app.web.forms_booking import MoveForm, What, WishForm
from b24app.web.memory import Memory
from b24app.web.visit import current_visit, now, services

PATIENCE = (1.0, 2.0)  # seconds to connect and to wait for an answer
LEFT_ALONE = timedelta(seconds=30)
ONE_DAY = timedelta(days=1)
BEFORE, AFTER = timedelta(days=14), timedelta(days=15)  # nearest free times are looked for so far


def offering(what: What, day: date | None, *, far: bool = False) -> bool:
    """Whether what is offered around `day` (None: now) takes into account what specialists' calendars say now.

    False when they could not be asked; what they said before counts then. `far`: as far as dates of a series go.
    """
    return _asked(_wanted(what), _around(day, calendars.LONGEST_LOOK if far else AFTER), calendars.WHEN_OFFERING)


def before_booking(form: WishForm) -> bool:
    """The same, fresh enough to book by it, for the days that stand in the form."""
    far = calendars.LONGEST_LOOK if form.freq.data else None
    return _asked(_wanted(form.what, form.resource_ids), _days(form.date.data, form.end_date.data, far))


def offering_move(booking_id: uuid.UUID, form: MoveForm) -> bool:
    """As `offering`, for a booking that stands and is to be moved."""
    wanted, day = _of_booking(booking_id, form)
    return _asked(wanted, _around(day, AFTER), calendars.WHEN_OFFERING)


def before_move(booking_id: uuid.UUID, form: MoveForm) -> bool:
    """As `before_booking`, for a booking that is to be moved."""
    return _asked(_of_booking(booking_id, form)[0], _days(form.date.data, form.end_date.data, None))


def on_board(people: Mapping[int, ZoneInfo], window: Interval) -> bool:
    """Reads the calendars of those who are shown; whether they say anything else than before."""
    if not people or _silent().get(current_visit().portal_id, now()):
        return False
    try:
        return _read(people, window, calendars.WHEN_OFFERING)
    except AppError:
        _leave_alone()
        return False


def _wanted(what: What, picked: frozenset[int] = frozenset()) -> Wanted:
    resources = picked | frozenset({what.resource_id} if what.resource_id else ())
    services_ = frozenset({what.service_id} if what.service_id else ())
    return Wanted(resources, services_, everything=not resources and not services_)


def _of_booking(booking_id: uuid.UUID, form: MoveForm) -> tuple[Wanted, date]:
    """What a move may put it on, what its service needs or the other resource that was picked; and about which day."""
    with transaction(services().engine) as tx:
        kept = queries.kept_booking(tx, current_visit().portal_id, booking_id)
    picked = _wanted(form.what, form.resource_ids).resource_ids
    return Wanted(picked, frozenset({kept.service_id})), form.date.data or as_interval(kept.during).start.date()


def _around(day: date | None, after: timedelta) -> Interval:
    middle = _midnight(day) if day else now()
    start = max(now(), middle - BEFORE)
    return Interval(start, max(start + ONE_DAY, middle + after))


def _days(first: date | None, last: date | None, far: timedelta | None) -> Interval | None:
    """These local days in whatever zone; nothing where no day is typed."""
    if first is None:
        return None
    end = _midnight(first) + far if far else _midnight(max(first, last or first)) + 2 * ONE_DAY
    return Interval(_midnight(first) - ONE_DAY, end)


def _midnight(day: date) -> datetime:
    return datetime.combine(min(max(day, date(1970, 1, 2)), date(2200, 1, 1)), time(), UTC)


def _asked(wanted: Wanted, window: Interval | None, older_than: timedelta = calendars.BEFORE_BOOKING) -> bool:
    if window is None:
        return True
    people = _people(wanted)
    if not people:
        return True
    if _silent().get(current_visit().portal_id, now()):
        return False
    try:
        _read(people, window, older_than)
    except AppError:
        _leave_alone()
        return False
    return True


def _read(people: Mapping[int, ZoneInfo], window: Interval, older_than: timedelta) -> bool:
    return calendars.read(
        services().engine, lambda: crm(PATIENCE), current_visit().portal_id, people, window,
        now=now(), older_than=older_than,
    )  # fmt: skip


def _people(wanted: Wanted) -> Mapping[int, ZoneInfo]:
    """Whose calendars have a say; remembered for a minute, since it is asked at every key that is pressed."""
    key, memory = (current_visit().portal_id, wanted), _kept("b24_people_asked")
    known = cast(Mapping[int, ZoneInfo] | None, memory.get(key, now()))
    if known is None:
        with transaction(services().engine) as tx:
            known = business.people(tx, current_visit().portal_id, wanted)
        memory.put(key, known, now() + timedelta(minutes=1))
    return known


def _leave_alone() -> None:
    """A calendar that did not answer is not asked for a moment: each who types would wait for it anew."""
    if current_visit().watched_by is not None:  # it was not even asked
        return
    _silent().put(current_visit().portal_id, True, now() + LEFT_ALONE)


def _silent() -> Memory[Any]:
    return _kept("b24_silent_calendars")


def _kept(name: str) -> Memory[Any]:
    return cast(Memory[Any], current_app.extensions.setdefault(name, Memory(2000)))
