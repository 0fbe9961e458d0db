"""Rows for tests: `make_booking(tx, portal, **overrides)` and friends; every default is valid."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from b24app.booking.reserve import BookingRequest, book
from b24app.booking.resources import ResourceData, save_resource
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Application, Booking, Grant, Installation, Portal, Resource
from b24app.ledger.tenancy import DEFAULT_GRANTS
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.interval import Interval

_serial = itertools.count(1)
ADMIN = Viewer(1, is_admin=True)
EMPLOYEE = Viewer(3, grants=tuple(GrantRule(*grant) for grant in DEFAULT_GRANTS))
ALWAYS = tuple(OpeningHours(day, 0, 1440) for day in range(7))
OFFICE = tuple(OpeningHours(day, 9 * 60, 18 * 60) for day in range(5))


def make_portal(tx: Session, **overrides: Any) -> Portal:
    """A portal with a living installation of a local application of its own."""
    n = next(_serial)
    values = {
        "member_id": f"{n:032x}",
        "domain": f"p{n}.bitrix24.example",
        "client_endpoint": f"https://p{n}.bitrix24.example/rest/",
        "server_endpoint": "https://oauth.bitrix.info/rest/",
        "level": "B",
        "calendar": {"section": 7},
        **overrides,
    }
    portal = Portal(**values)
    application = Application(client_id=f"local.{n:014x}.{n:08d}", client_secret="secret", kind="local")
    tx.add_all([portal, application])
    tx.flush()
    tx.add(Installation(portal_id=portal.id, application_id=application.id, state="active"))
    tx.add_all(Grant(portal_id=portal.id, scope=s, code=c, right=r) for s, c, r in DEFAULT_GRANTS)
    tx.flush()
    tx.refresh(portal)
    return portal


def installation_of(tx: Session, portal: Portal) -> int:
    """The id of the portal's living installation."""
    return tx.scalars(select(Installation.id).filter_by(portal_id=portal.id)).one()


def make_resource(tx: Session, portal: Portal, *, now: datetime, **overrides: Any) -> Resource:
    """A meeting room, open all week and all day, half-hour steps."""
    values = {"kind": "room", "name": f"Переговорная {next(_serial)}", "hours": ALWAYS, **overrides}
    return save_resource(tx, portal, ResourceData(**values), viewer=ADMIN, now=now, longest_hours=24 * 14)


def hour(now: datetime, start: float, length: float = 1.0) -> Interval:
    """An interval that begins `start` hours after `now`."""
    return Interval(now + timedelta(hours=start), now + timedelta(hours=start + length))


def make_booking(
    tx: Session, portal: Portal, resource: Resource, *, now: datetime, viewer: Viewer = EMPLOYEE, **overrides: Any
) -> Booking:
    """A confirmed booking one hour from now, an hour long."""
    values = {"resource_id": resource.id, "interval": hour(now, 1), **overrides}
    return book(tx, portal, BookingRequest(**values), viewer=viewer, now=now)
