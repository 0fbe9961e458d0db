"""What people chose on the board: kept for one person at one place, and nobody else's."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from b24app.ledger import choices, people
from b24app.ledger.models import Portal, PortalUser
from b24app.ledger.people import Employee
from tests.factories import make_booking, make_portal, make_resource


def test_everything_is_of_one_portal(tx: Session, portal: Portal, now: datetime) -> None:
    there = make_portal(tx)
    booking = make_booking(tx, portal, make_resource(tx, portal, now=now), now=now, responsible_id=3)
    for of, name in ((portal, "Анна"), (there, "Чужая")):
        people.keep(tx, of.id, [Employee(3, name, frozenset())], now)
        tx.query(PortalUser).filter_by(portal_id=of.id).update({"is_admin": True})
    choices.keep(tx, portal.id, 3, "page", {"view": "week"})
    choices.keep(tx, portal.id, 3, "card", {})
    assert choices.recall(tx, portal.id, 3, "page") == {"view": "week"}
    assert choices.recall(tx, portal.id, 3, "card") == {}
    assert [choices.recall(tx, of, user, "page") for of, user in ((there.id, 3), (portal.id, 4))] == [None, None]
    assert choices.administrators(tx, there.id, 3) == ["Чужая"]
    assert choices.in_charge(tx, portal.id, now) == [(3, "Анна")]
    assert choices.in_charge(tx, portal.id, now + timedelta(days=1)) == []
    assert choices.in_charge(tx, there.id, now) == []
    assert choices.numbers_of(tx, portal.id, 3, [booking.number]) == {booking.number}
    assert choices.numbers_of(tx, there.id, 3, [booking.number]) == set()
    assert choices.numbers_of(tx, portal.id, 4, [booking.number]) == set()
