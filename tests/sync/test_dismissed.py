"""Administrators come and go, and what we do for the company goes on (docs/behaviour.md §1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.ledger import outbox, tenancy
from b24app.ledger.models import Booking
from b24app.ledger.session import transaction
from b24app.sync.tokens import portal_client
from emulator import staff
from tests import factories
from tests.factories import ADMIN as VIEWER
from tests.sync.conftest import Wire
from tests.sync.expect import assert_shown, events_of, items_of, refs_of
from tests.sync.rig import ADMIN, MANAGER, SECOND_ADMIN, Clock, Company, Rig, keep
from tests.sync.test_tokens import needs_admin, pair_of

SPECIALISTS = f"user:{MANAGER}"


def change(rig: Rig, booking: Booking, action: Callable[..., Any]) -> None:
    """Moves or cancels a booking as the staff would."""
    with transaction(rig.engine) as tx:
        revision = tx.get_one(Booking, booking.id).revision
        action(tx, rig.ledger(tx), booking.id, revision=revision, viewer=VIEWER, now=rig.clock())


def later(rig: Rig, hours: float) -> Callable[..., Any]:
    def move(tx: Any, portal: Any, booking_id: Any, **more: Any) -> None:
        move_booking(tx, portal, booking_id, Move(factories.hour(rig.clock(), hours)), **more)

    return move


def comes(rig: Rig, user_id: int) -> None:
    """An administrator opens the application."""
    with transaction(rig.engine) as tx:
        keep(tx, rig.emulator, rig.card, tenancy.lock_tenant(tx, rig.portal_id), user_id, "frame", rig.clock())


def test_the_installing_administrator_is_dismissed_in_mid_work(company: Company, wire: Wire) -> None:
    """Between two calls of one drain: the other one's pair carries on, and what he does not own stays one event."""
    rig = company.rig
    moved, cancelled, kept = (company.book(company.person, hours) for hours in (1, 3, 5))
    rig.drain()
    assert {row["host"] for row in rig.events()} == {ADMIN}
    change(rig, moved, later(rig, 7))
    change(rig, cancelled, cancel_booking)
    new = company.book(company.person, 9)
    wire.before = lambda path: setattr(wire, "before", lambda path: staff.dismiss(rig.far, ADMIN))
    rig.drain(3)
    for one in (moved, kept, new):
        assert_shown(rig, one.id)
        assert len(events_of(rig, one.id)) == 1
    assert events_of(rig, cancelled.id) == []
    hosts = {one.id: refs_of(rig, one.id)[SPECIALISTS].host for one in (moved, kept, new)}
    assert hosts == {moved.id: ADMIN, kept.id: ADMIN, new.id: SECOND_ADMIN}
    assert (pair_of(rig, ADMIN).dead_reason, needs_admin(rig)) == ("authorization_error", False)
    change(rig, moved, later(rig, 11))
    change(rig, new, later(rig, 13))
    rig.drain(2)
    assert_shown(rig, moved.id)
    assert_shown(rig, new.id)
    assert len(rig.events()) == 3


def test_with_no_administrator_left_nothing_is_lost_until_one_opens_the_application(
    company: Company, clock: Clock
) -> None:
    rig = company.rig
    moved, cancelled = company.book(company.person, 1), company.book(company.room, 1)
    rig.drain()
    for user in (ADMIN, SECOND_ADMIN):
        staff.dismiss(rig.far, user)
    new = company.book(company.person, 3)
    rig.drain()
    assert needs_admin(rig)
    change(rig, moved, later(rig, 5))
    change(rig, cancelled, cancel_booking)
    calls = len(rig.far.calls)
    clock.forward(timedelta(days=2).total_seconds())
    rig.drain(3)
    assert len(rig.far.calls) == calls, "everything waits, and asks nobody"
    staff.rehire(rig.far, SECOND_ADMIN)
    comes(rig, SECOND_ADMIN)
    with transaction(rig.engine) as tx:
        assert outbox.portals_with_work(tx, rig.clock()) == [rig.portal_id]
    rig.drain(3)
    assert not needs_admin(rig)
    assert_shown(rig, moved.id)
    assert_shown(rig, new.id)
    assert (len(items_of(rig, cancelled.id)), events_of(rig, cancelled.id)) == (1, [])
    assert len(rig.events()) == 2


def test_who_is_no_administrator_any_more_is_found_out_within_a_day(rig: Rig, clock: Clock) -> None:
    """He still works there, and with his token half of our calls would pass."""
    staff.set_admin(rig.far, ADMIN, False)
    clock.forward(timedelta(hours=25).total_seconds())
    client = portal_client(rig.reach, rig.portal_id)
    assert client.call("profile")["ID"] == str(SECOND_ADMIN)
    assert pair_of(rig, ADMIN).dead_reason == "not_admin"
    assert pair_of(rig, SECOND_ADMIN).verified_at == clock()
    rig.far.calls.clear()
    portal_client(rig.reach, rig.portal_id).call("user.current")
    assert rig.calls() == ["user.current"], "once a day is enough"


@pytest.mark.parametrize("user_id", [ADMIN, SECOND_ADMIN])
def test_a_pair_whose_administrator_opens_the_application_as_an_employee_is_buried(rig: Rig, user_id: int) -> None:
    with transaction(rig.engine) as tx:
        tenancy.bury_pair_of(tx, rig.portal_id, user_id, "not_admin", rig.clock())
    other = {ADMIN: SECOND_ADMIN, SECOND_ADMIN: ADMIN}[user_id]
    assert portal_client(rig.reach, rig.portal_id).call("profile")["ID"] == str(other)
