"""A request: who is told of it, who is told next, who decides for somebody who is away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from b24app.booking.approval import Away, escalate, rounds, set_away
from b24app.booking.change import confirm_booking
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series
from b24app.errors import InvalidInput, NotAllowed
from b24app.ledger import approval, queries, tenancy
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.changes import newest
from b24app.ledger.models import Booking, Grant, Portal, Resource
from b24app.ledger.portal_models import Delivery
from b24app.scheduling.recurrence import Recurrence
from tests.factories import ADMIN, hour, make_booking, make_resource

NEAR, PLACE, KIND, ALL, CHIEF = 21, 22, 23, 24, 1
ASKER = Viewer(30, grants=(GrantRule("everything", "U30", "request"),))


@pytest.fixture
def room(tx: Session, portal: Portal, now: datetime) -> Resource:
    """A room in Perm for which people approve at every distance."""
    room = make_resource(tx, portal, now=now, city="Пермь")
    tx.execute(delete(Grant))
    scopes = {NEAR: f"resource:{room.id}", PLACE: "location:Пермь", KIND: "kind:room", ALL: "everything"}
    for person, scope in scopes.items():
        tx.add(Grant(portal_id=portal.id, scope=scope, code=f"U{person}", right="approve"))
    for person in (*scopes, CHIEF, 30, 31):
        codes = {f"U{person}", "AU"}
        tenancy.remember_user(tx, portal.id, person, f"Имя {person}", now, codes=codes, is_admin=person == CHIEF)
    return room


def request(tx: Session, portal: Portal, room: Resource, now: datetime, start: float = 90) -> Booking:
    return make_booking(tx, portal, room, now=now, viewer=ASKER, interval=hour(now, start))


def told(tx: Session, codes: Iterable[str] = ("waits", "waits_on")) -> list[tuple[str, int | None]]:
    rows = tx.execute(select(Delivery.code, Delivery.recipient).where(Delivery.code.in_(codes)).order_by(Delivery.id))
    return [(code, person) for code, person in rows]


def test_the_nearest_are_told_first_and_the_others_one_round_after_the_other(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    made = request(tx, portal, room, now)
    assert made.needs_approval
    assert told(tx) == [("waits", NEAR)]
    for hours, people in ((3, []), (4, [PLACE]), (9, [PLACE, KIND]), (13, [PLACE, KIND, ALL])):
        for _ in range(2):  # told once, however often the clock looks
            escalate(tx, portal, made.id, now + timedelta(hours=hours))
        assert told(tx, ["waits_on"]) == [("waits_on", person) for person in people]
    escalate(tx, portal, made.id, now + timedelta(hours=17))
    assert told(tx)[-1] == ("waits_on", CHIEF), "administrators are the last"


def test_an_answer_ends_it(tx: Session, portal: Portal, room: Resource, now: datetime) -> None:
    made = request(tx, portal, room, now)
    confirm_booking(tx, portal, made.id, revision=1, viewer=ADMIN, now=now)
    assert not escalate(tx, portal, made.id, now + timedelta(hours=20))
    assert told(tx) == [("waits", NEAR)]


def test_a_company_may_have_nobody_told_later(tx: Session, portal: Portal, room: Resource, now: datetime) -> None:
    portal.settings = {"escalate_hours": 0}
    made = request(tx, portal, room, now)
    assert not escalate(tx, portal, made.id, now + timedelta(hours=20))


def test_of_a_series_each_hears_once(tx: Session, portal: Portal, room: Resource, now: datetime) -> None:
    wish = BookingRequest(hour(now, 26), resource_id=room.id)
    days = [now.date() + timedelta(days=1 + 7 * n) for n in range(3)]
    made = book_series(tx, portal, wish, Recurrence("weekly", count=3), days, viewer=ASKER, now=now)
    assert [one.needs_approval for one in made] == [True] * 3
    assert told(tx) == [("waits", NEAR)]


def test_who_approves_for_only_one_of_two_resources_is_not_asked(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    other = make_resource(tx, portal, now=now, city="Пермь")
    grants = [GrantRule(f"resource:{room.id}", "U21", "approve"), GrantRule("location:Пермь", "U22", "manage")]
    assert rounds(grants, {21: {"U21"}, 22: {"U22"}}, [room, other]) == [[22]]
    assert rounds(grants, {21: {"U21"}, 22: {"U22"}}, [room]) == [[21], [22]]


def test_who_is_away_is_not_told_but_who_stands_in_for_him(
    tx: Session, portal: Portal, room: Resource, now: datetime
) -> None:
    person, absence = Viewer(NEAR), Away(31, now + timedelta(days=7))
    set_away(tx, portal, NEAR, absence, viewer=person, now=now)
    made = request(tx, portal, room, now)
    assert told(tx) == [("waits", 31)]
    stands_in = Viewer(31, grants=queries.grants(tx, portal.id, frozenset({"U31", "AU"}), now))
    assert [row.booking.id for row in approval.waiting(tx, portal.id, stands_in, now)] == [made.id]
    assert confirm_booking(tx, portal, made.id, revision=1, viewer=stands_in, now=now).stage == "confirmed"
    assert not stands_in.may("manage", room), "he approves, and that is all"
    later = now + timedelta(days=8)
    assert queries.grants(tx, portal.id, frozenset({"U31", "AU"}), later) == ()
    (change,) = newest(tx, portal.id, kind="absence")
    assert (change.subject_id, (change.after or {})["stand_in"]) == (NEAR, 31)


@pytest.mark.parametrize(
    ("person", "away", "field", "code"),
    [
        (NEAR, Away(NEAR, datetime.max), "stand_in", "oneself"),
        (NEAR, Away(987, datetime.max), "stand_in", "unknown_user"),
        (NEAR, Away(PLACE, datetime.max), "stand_in", "away_too"),
    ],
)
def test_nobody_is_left_without_somebody_who_decides(
    tx: Session, portal: Portal, room: Resource, now: datetime, person: int, away: Away, field: str, code: str
) -> None:
    set_away(tx, portal, PLACE, Away(31, now + timedelta(days=1)), viewer=ADMIN, now=now)
    with pytest.raises(InvalidInput) as caught:
        set_away(tx, portal, person, Away(away.stand_in, now + timedelta(days=1)), viewer=ADMIN, now=now)
    assert caught.value.fields == {field: code}


def test_an_absence_ends_some_day_and_is_ones_own(tx: Session, portal: Portal, room: Resource, now: datetime) -> None:
    for until in (now, now + timedelta(days=400)):
        with pytest.raises(InvalidInput):
            set_away(tx, portal, NEAR, Away(31, until), viewer=ADMIN, now=now)
    with pytest.raises(NotAllowed):
        set_away(tx, portal, NEAR, Away(31, now + timedelta(days=1)), viewer=ASKER, now=now)
    assert approval.absences(tx, portal.id, now) == []
