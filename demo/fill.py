"""`python -m demo.fill`: resources and a fortnight of bookings for every portal that has none yet.

Everything goes through the use cases that people use, as an import. Deals and their clients are read from the portal
itself, so cards and bookings belong together. A booking of last week is made with the clock of the week before it.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from b24app.app import make_services
from b24app.bitrix.client import PortalClient
from b24app.bitrix.throttle import LocalThrottle, Throttles
from b24app.booking.change import cancel_booking
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest, book
from b24app.booking.resources import ResourceData, save_resource
from b24app.config import Settings
from b24app.errors import PolicyViolation, SlotTaken
from b24app.ledger import queries, tenancy
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import transaction
from b24app.scheduling.hours import OpeningHours, local_instant
from b24app.scheduling.interval import Interval
from b24app.sync.tokens import Reach, portal_client
from b24app.web.visit import Services

COMPANY = json.loads((Path(__file__).parent / "company.json").read_text(encoding="utf-8"))
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AROUND_DAYS = 7
SEED = 8024
ADMINISTRATOR = Viewer(1, is_admin=True)
MANAGERS = (3, 4)
OF_A_DEAL = 0.3
CANCELLED = 0.06


@dataclass(frozen=True)
class Deal:
    """A deal of the portal and who it is for."""

    id: int
    title: str
    client: ClientData | None


def main() -> None:
    services = make_services(Settings.from_env(os.environ))
    now = datetime.now(UTC)
    with transaction(services.engine) as tx:
        empty = [one.id for one in tenancy.portals(tx) if not queries.resources(tx, one.id, ADMINISTRATOR)]
    for portal_id in empty:
        remember_people(services, portal_id, now)
        deals = list(read_deals(portal_client_of(services, portal_id)))
        resources = save_resources(services, portal_id, now)
        count = sum(book_resource(services, portal_id, one, deals, now) for one in resources)
        print(f"{len(resources)} resources, {count} bookings")
    services.engine.dispose()


def portal_client_of(services: Services, portal_id: int) -> PortalClient:
    reach = Reach(
        services.engine,
        services.http,
        Throttles(lambda: LocalThrottle(time.time, time.sleep)),
        lambda: datetime.now(UTC),
    )
    return portal_client(reach, portal_id)


def remember_people(services: Services, portal_id: int, now: datetime) -> None:
    """The names of the portal's employees: some are responsible for bookings and have never opened the application."""
    people = list(portal_client_of(services, portal_id).list_all("user.get", {"FILTER": {"ACTIVE": True}}))
    with transaction(services.engine) as tx:
        for one in people:
            tenancy.remember_user(tx, portal_id, int(one["ID"]), f"{one['NAME']} {one['LAST_NAME']}", now)


def read_deals(client: PortalClient) -> Iterator[Deal]:
    """The open deals of the portal with their first contact."""
    contacts = {row["id"]: row for row in client.list_all("crm.item.list", {"entityTypeId": 3}, "items", by_id="id")}
    for row in client.list_all("crm.item.list", {"entityTypeId": 2}, "items", by_id="id"):
        contact = contacts.get(row.get("contactId"))
        name = f"{contact['name']} {contact['lastName']}" if contact else ""
        yield Deal(row["id"], row["title"], ClientData("contact", name, crm_id=contact["id"]) if contact else None)


def save_resources(services: Services, portal_id: int, now: datetime) -> list[Resource]:
    with transaction(services.engine) as tx:
        portal = tx.get_one(Portal, portal_id)
        return [
            save_resource(
                tx, portal, resource_data(row), viewer=ADMINISTRATOR, now=now, sort=number,
                longest_hours=services.settings.longest_booking_hours,
            )
            for number, row in enumerate(COMPANY["resources"])
        ]  # fmt: skip


def resource_data(row: dict[str, Any]) -> ResourceData:
    return ResourceData(
        kind=row["kind"],
        name=row["name"],
        capacity=row.get("capacity", 1),
        step_minutes=row["step"],
        min_minutes=row["step"],
        max_minutes=row.get("max", 480),
        portal_user_id=row.get("user"),
        hours=tuple(weekly_hours(COMPANY["hours"][row["hours"]])),
        **COMPANY["places"][row["place"]],
    )


def weekly_hours(rows: dict[str, str]) -> Iterator[OpeningHours]:
    """{"mon-fri": "9-20"} as stretches of the week."""
    for days, span in rows.items():
        first, last = (DAYS.index(day) for day in days.split("-"))
        opens, closes = (int(hour) * 60 for hour in span.split("-"))
        for weekday in range(first, last + 1):
            yield OpeningHours(weekday, opens, closes)


def book_resource(services: Services, portal_id: int, resource: Resource, deals: list[Deal], now: datetime) -> int:
    """A fortnight of bookings around today on one resource; the number that found room."""
    dice = random.Random(SEED + resource.id)
    today = now.astimezone(ZoneInfo(resource.time_zone)).date()
    days = [today + timedelta(days=n) for n in range(-AROUND_DAYS, AROUND_DAYS + 1)]
    wishes = [wish(dice, resource, day, deals) for day in days for _ in range(COMPANY["a_day"][resource.kind])]
    return sum(try_to_book(services, portal_id, one, dice, now) for one in wishes)


def wish(dice: random.Random, resource: Resource, day: date, deals: list[Deal]) -> BookingRequest:
    deal = dice.choice(deals) if deals and dice.random() < OF_A_DEAL else None
    start = local_instant(
        day, dice.randrange(9 * 60, 20 * 60, max(resource.step_minutes, 30)), ZoneInfo(resource.time_zone)
    )
    return BookingRequest(
        resource_id=resource.id,
        interval=Interval(start, start + timedelta(minutes=dice.choice(COMPANY["lengths"][resource.kind]))),
        source="import",
        client=deal.client if deal else None,
        deal_id=deal.id if deal else None,
        title="" if deal and deal.client else dice.choice(COMPANY["titles"][resource.kind]),
        responsible_id=dice.choice(MANAGERS),
    )


def try_to_book(
    services: Services, portal_id: int, request: BookingRequest, dice: random.Random, now: datetime
) -> bool:
    """Books as if it had been done in time; a wish that does not fit is forgotten, as in life."""
    then = min(now, request.interval.start - timedelta(days=2))
    viewer = Viewer(request.responsible_id or 1, is_admin=True)
    try:
        with transaction(services.engine) as tx:
            portal = tx.get_one(Portal, portal_id)
            made = book(tx, portal, request, viewer=viewer, now=then)
            if dice.random() < CANCELLED:
                cancel_booking(tx, portal, made.id, revision=1, viewer=viewer, now=then + timedelta(hours=3))
    except (PolicyViolation, SlotTaken):
        return False
    return True


if __name__ == "__main__":
    main()
