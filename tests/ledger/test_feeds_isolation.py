"""Feeds, and what feeds and sheets read, of one portal: another portal's ids find and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.booking.clients import ClientData
from b24app.errors import NotFound
from b24app.ledger import board, entries, feeds
from b24app.ledger.entries import Reach
from b24app.ledger.feeds import FeedData
from b24app.ledger.models import Booking, Portal, Resource
from b24app.ledger.portal_models import Feed
from b24app.ledger.spread import Offered
from tests.factories import ADMIN, hour, make_booking, make_portal, make_resource
from tests.ledger.test_isolation import everything


@dataclass
class Foreign:
    """Portal B (`here`), what is portal A's, and the board of A's that its resources stand on."""

    here: int
    room: Resource
    booking: Booking
    feed: Feed
    of: Offered
    reach: Reach
    now: datetime


def revoked(tx: Session, portal_id: int, of: Foreign) -> bool:
    feeds.revoke(tx, portal_id, of.feed.id, viewer=ADMIN, now=of.now)
    return True


def noted(tx: Session, portal_id: int, of: Foreign) -> bool:
    feeds.note_read(tx, portal_id, of.feed, of.now)
    tx.refresh(of.feed)
    return of.feed.read_at is not None


CALLS: dict[str, Callable[[Session, int, Foreign], Any]] = {
    "on_resource": lambda tx, b, of: entries.on_resource(tx, b, ADMIN, of.of, of.room.id, of.reach),
    "of_person": lambda tx, b, of: entries.of_person(tx, b, ADMIN, of.of, 7, of.reach),
    "called": lambda tx, b, of: entries.called(tx, b, [of.booking.number]),
    "places": lambda tx, b, of: entries.places(tx, b, [of.room.id]),
    "listed": lambda tx, b, of: feeds.listed(tx, b, ADMIN),
    "revoke": revoked,
    "note_read": noted,
    "make": lambda tx, b, of: feeds.make(tx, b, FeedData(resource_id=of.room.id), viewer=ADMIN, now=of.now),
}


@pytest.fixture
def foreign(tx: Session, portal: Portal, now: datetime) -> Foreign:
    room = make_resource(tx, portal, now=now, kind="specialist", name="Анна", portal_user_id=7)
    booking = make_booking(tx, portal, room, now=now, client=ClientData("person", "Мария"))
    feed, _ = feeds.make(tx, portal.id, FeedData(resource_id=room.id), viewer=ADMIN, now=now)
    window = hour(now, -24, 96)
    of = board.offered(tx, portal.id, ADMIN, window)
    return Foreign(make_portal(tx).id, room, booking, feed, of, Reach(window, timedelta(days=14), now), now)


@pytest.mark.parametrize("name", CALLS)
def test_another_portals_ids_find_nothing(tx: Session, foreign: Foreign, name: str) -> None:
    before = everything(tx)
    try:
        found = CALLS[name](tx, foreign.here, foreign)
    except NotFound:
        found = None
    assert not found
    assert everything(tx) == before
    assert CALLS[name](tx, foreign.room.portal_id, foreign), "it finds something where it belongs"
