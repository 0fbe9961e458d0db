"""Series: a preview, one booking a date, changes to one, the following or all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from b24app.booking.change import Move, cancel_booking, undo_change
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import Scope, book_series, change_series, plan_series
from b24app.errors import InvalidInput, SlotTaken
from b24app.ledger import queries
from b24app.ledger.models import Booking, ExternalRef, Portal, Resource
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.interval import Interval
from b24app.scheduling.recurrence import Recurrence
from tests.factories import EMPLOYEE, OFFICE, hour, make_booking, make_resource

WEEKLY = Recurrence("weekly", count=4)


def request(room: Resource, now: datetime, start: float = 1) -> BookingRequest:
    return BookingRequest(hour(now, start), resource_id=room.id, request_key="k")


def booked(tx: Session, portal: Portal, room: Resource, now: datetime) -> list[Booking]:
    days = [now.date() + timedelta(days=7 * n) for n in range(4)]
    return book_series(tx, portal, request(room, now), WEEKLY, days, viewer=EMPLOYEE, now=now)


def starts(tx: Session, portal: Portal, series: list[Booking], now: datetime) -> list[float]:
    """By how many hours each has moved from where it was booked."""
    rows = [queries.booking_state(tx, portal.id, one.id) for one in series]
    return [
        (as_interval(row.during).start - hour(now, 1 + 168 * n).start) / timedelta(hours=1)
        for n, row in enumerate(rows)
    ]


def test_the_preview_tells_of_every_date(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, hours=OFFICE)
    make_booking(tx, portal, room, now=now, interval=hour(now, 25))
    daily = Recurrence("daily", count=6)
    plan = plan_series(tx, portal, request(room, now), daily, viewer=EMPLOYEE, now=now)
    assert [one.state for one in plan] == ["free", "taken", "free", "free", "closed", "closed"]
    assert [near.start for near in plan[1].nearest] == [hour(now, 24).start, hour(now, 26).start]


def test_one_booking_item_and_event_per_date(tx: Session, portal: Portal, now: datetime) -> None:
    made = booked(tx, portal, make_resource(tx, portal, now=now), now)
    assert [one.series_day for one in made] == [now.date() + timedelta(days=7 * n) for n in range(4)]
    assert len({one.id for one in made}) == 4
    refs = tx.execute(select(ExternalRef.kind, func.count()).group_by(ExternalRef.kind)).all()
    assert dict(refs) == {"item": 5, "event": 4}  # with the item of the room
    assert all(one.bulk for one in tx.scalars(select(ExternalRef).where(ExternalRef.booking_id.is_not(None))))


def test_sent_twice_it_is_one_series(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    first = booked(tx, portal, room, now)
    assert {one.id for one in booked(tx, portal, room, now)} == {one.id for one in first}


def test_all_or_none(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    make_booking(tx, portal, room, now=now, interval=hour(now, 1 + 168))
    with pytest.raises(SlotTaken), tx.begin_nested():
        booked(tx, portal, room, now)
    assert tx.scalar(select(func.count(Booking.id))) == 1


def test_ten_thousand_dates_are_refused_by_name(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    with pytest.raises(InvalidInput) as refused:
        plan_series(tx, portal, request(room, now), Recurrence("daily", count=10_000), viewer=EMPLOYEE, now=now)
    assert refused.value.fields == {"count": "too_many_dates"}


def test_local_time_is_kept_over_a_clock_change(tx: Session, portal: Portal) -> None:
    now = datetime.fromisoformat("2026-03-23T08:00+00:00")
    room = make_resource(tx, portal, now=now, time_zone="Europe/Berlin")
    made = book_series(
        tx, portal, request(room, now), Recurrence("weekly", count=2), [date(2026, 3, 23), date(2026, 3, 30)],
        viewer=EMPLOYEE, now=now,
    )  # fmt: skip
    local = [as_interval(one.during).start.astimezone(ZoneInfo("Europe/Berlin")).hour for one in made]
    assert local == [10, 10]


@pytest.mark.parametrize(("scope", "moved"), [("this", [1]), ("following", [1, 2, 3]), ("all", [0, 1, 2, 3])])
def test_a_move_concerns_what_was_chosen(
    tx: Session, portal: Portal, now: datetime, scope: Scope, moved: list[int]
) -> None:
    made = booked(tx, portal, make_resource(tx, portal, now=now), now)
    to = as_interval(made[1].during)
    move = Move(Interval(to.start + timedelta(hours=2), to.end + timedelta(hours=2)))
    change_series(tx, portal, made[1].id, scope, move, revision=1, viewer=EMPLOYEE, now=now)
    assert starts(tx, portal, made, now) == [2 if n in moved else 0 for n in range(4)]


@pytest.mark.parametrize("days", [7, -7])
def test_a_series_may_be_moved_onto_its_own_dates(tx: Session, portal: Portal, now: datetime, days: int) -> None:
    made = booked(tx, portal, make_resource(tx, portal, now=now), now)
    to, shift = as_interval(made[2].during), timedelta(days=days)
    change_series(
        tx, portal, made[2].id, "following", Move(Interval(to.start + shift, to.end + shift)), revision=1,
        viewer=EMPLOYEE, now=now,
    ) if days > 0 else cancel_booking(tx, portal, made[1].id, revision=1, viewer=EMPLOYEE, now=now)  # fmt: skip
    if days < 0:
        change_series(
            tx, portal, made[2].id, "following", Move(Interval(to.start + shift, to.end + shift)), revision=1,
            viewer=EMPLOYEE, now=now,
        )  # fmt: skip
    assert starts(tx, portal, made, now)[2:] == [days * 24, days * 24]


def test_cancelling_all_is_undone_by_one_click(tx: Session, portal: Portal, now: datetime) -> None:
    made = booked(tx, portal, make_resource(tx, portal, now=now), now)
    changed = change_series(tx, portal, made[2].id, "all", None, revision=1, viewer=EMPLOYEE, now=now)
    assert {one.stage for one in changed} == {"cancelled"}
    undone = undo_change(tx, portal, made[2].id, revision=2, viewer=EMPLOYEE, now=now)
    assert len(undone) == 4
    assert {queries.booking_state(tx, portal.id, one.id).stage for one in made} == {"confirmed"}


def test_what_has_begun_or_was_dropped_stays(tx: Session, portal: Portal, now: datetime) -> None:
    made = booked(tx, portal, make_resource(tx, portal, now=now), now)
    cancel_booking(tx, portal, made[2].id, revision=1, viewer=EMPLOYEE, now=now)
    later = now + timedelta(hours=2)
    change_series(tx, portal, made[3].id, "all", None, revision=1, viewer=EMPLOYEE, now=later)
    stages = [queries.booking_state(tx, portal.id, one.id).stage for one in made]
    assert stages == ["confirmed", "cancelled", "cancelled", "cancelled"]
