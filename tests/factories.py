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
from b24app.ledger.models import (
    Application,
    Booking,
    Grant,
    Installation,
    Policy,
    Portal,
    Requirement,
    RequirementOption,
    Resource,
    Service,
)
from b24app.ledger.models import Tariff as TariffRow
from b24app.ledger.tenancy import DEFAULT_GRANTS
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import Tariff

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


def make_service(
    tx: Session, portal: Portal, *needs: tuple[Any, int], rules: dict[str, Any] | None = None,
    tariff: Tariff | None = None, **overrides: Any,
) -> Service:  # fmt: skip
    """An hour's service; each need is a kind, a resource or several resources, and how many of it."""
    n = next(_serial)
    values = {
        "name": f"Услуга {n}", "min_minutes": 60, "max_minutes": 60, "step_minutes": 30, "policy_id": None,
        "tariff_id": None, **overrides,
    }  # fmt: skip
    if rules is not None:
        policy = Policy(portal_id=portal.id, name=f"Правила {n}", rules=rules)
        tx.add(policy)
        tx.flush()
        values["policy_id"] = policy.id
    if tariff is not None:
        row = TariffRow(portal_id=portal.id, name=tariff.name, body=tariff.as_dict())
        tx.add(row)
        tx.flush()
        values["tariff_id"] = row.id
    service = Service(portal_id=portal.id, **values)
    tx.add(service)
    tx.flush()
    for position, (what, quantity) in enumerate(needs):
        kind = what if isinstance(what, str) else None
        need = Requirement(portal_id=portal.id, service_id=service.id, position=position, kind=kind, quantity=quantity)
        tx.add(need)
        tx.flush()
        options = [] if kind else [what] if isinstance(what, Resource) else what
        tx.add_all(
            RequirementOption(portal_id=portal.id, requirement_id=need.id, resource_id=one.id) for one in options
        )
        tx.flush()
    return service


def hour(now: datetime, start: float, length: float = 1.0) -> Interval:
    """An interval that begins `start` hours after `now`."""
    return Interval(now + timedelta(hours=start), now + timedelta(hours=start + length))


def make_booking(
    tx: Session, portal: Portal, resource: Resource, *, now: datetime, viewer: Viewer = EMPLOYEE, **overrides: Any
) -> Booking:
    """A confirmed booking one hour from now, an hour long."""
    values = {"resource_id": resource.id, "interval": hour(now, 1), **overrides}
    return book(tx, portal, BookingRequest(**values), viewer=viewer, now=now)


def book_service(
    tx: Session, portal: Portal, service: Service, *, now: datetime, viewer: Viewer = EMPLOYEE, **overrides: Any
) -> Booking:
    """A booking of a service, one hour from now."""
    values = {"service_id": service.id, "interval": hour(now, 1), **overrides}
    return book(tx, portal, BookingRequest(**values), viewer=viewer, now=now)
