"""`python -m demo.fill`: the company and a fortnight of bookings for every portal that has none yet.

Everything goes through the use cases that people use, as an import. Deals and their clients are read from the portal
itself, so cards and bookings belong together. A booking of last week is made with the clock of the week before it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from b24app.app import make_services
from b24app.bitrix.client import PortalClient
from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest
from b24app.config import Settings
from b24app.ledger import queries, tenancy
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Session, transaction
from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.sync.throttles import SharedThrottles
from b24app.sync.tokens import Reach, portal_client
from b24app.web.visit import Services, utc_now
from demo.company import ADMINISTRATOR, COMPANY, set_up
from demo.examples import MANAGERS, book_examples
from demo.life import live

AROUND_DAYS = 7
SEED = 8024
OF_A_DEAL = 0.3
LAST_MADE, EARLIER_HOURS = timedelta(hours=2), 72
IN_TIME = timedelta(days=2)
# How likely each step is, in the order in which they are taken.
STEPS = {"paid": 0.45, "deposit": 0.25, "confirm": 0.85, "cancel": 0.06, "no_show": 0.05, "come": 0.7}
INSTEAD = {"paid": "deposit", "no_show": "come"}  # whoever did the one does not do the other


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
        fill(services, portal_id, list(read_deals(portal_client_of(services, portal_id))), now)
    services.engine.dispose()


def fill(services: Services, portal_id: int, deals: list[Deal], now: datetime) -> None:
    """The company, its examples, and what fills the days around them."""
    with transaction(services.engine) as tx:
        portal = tx.get_one(Portal, portal_id)
        company = set_up(tx, portal, now, services.settings.longest_booking_hours)
        count = book_examples(tx, portal, company, {deal.id: deal.client for deal in deals}, now)
    count += sum(book_resource(services, portal_id, one, deals, now) for one in company.plain)
    print(f"{len(company.resources)} resources, {count} bookings")


def portal_client_of(services: Services, portal_id: int) -> PortalClient:
    throttles = SharedThrottles(services.engine, utc_now, time.sleep)
    return portal_client(Reach(services.engine, services.http, throttles, utc_now), portal_id)


def remember_people(services: Services, portal_id: int, now: datetime) -> None:
    """The names of the portal's employees: some are responsible for bookings and have never opened the application."""
    people = list(portal_client_of(services, portal_id).list_all("user.get", {"FILTER": {"ACTIVE": True}}))
    with transaction(services.engine) as tx:
        for one in people:
            tenancy.remember_user(tx, portal_id, int(one["ID"]), f"{one['NAME']} {one['LAST_NAME']}", now)


def read_deals(client: PortalClient) -> Iterator[Deal]:
    """The deals of the portal with their first contact."""
    contacts = {row["id"]: row for row in client.list_all("crm.item.list", {"entityTypeId": 3}, "items", by_id="id")}
    for row in client.list_all("crm.item.list", {"entityTypeId": 2}, "items", by_id="id"):
        contact = contacts.get(row.get("contactId"))
        name = f"{contact['name']} {contact['lastName']}" if contact else ""
        yield Deal(row["id"], row["title"], ClientData("contact", name, crm_id=contact["id"]) if contact else None)


def book_resource(services: Services, portal_id: int, resource: Resource, deals: list[Deal], now: datetime) -> int:
    """A fortnight of bookings around today on one resource; the number that found room."""
    dice = random.Random(SEED + resource.id)
    today = now.astimezone(ZoneInfo(resource.time_zone)).date()
    days = [today + timedelta(days=n) for n in range(-AROUND_DAYS, AROUND_DAYS + 1)]
    wishes = [wish(dice, resource, day, deals) for day in days for _ in range(COMPANY["a_day"][resource.kind])]
    with transaction(services.engine) as tx:
        portal = tx.get_one(Portal, portal_id)
        return sum(book_wish(tx, portal, one, dice, now) for one in wishes)


def book_wish(tx: Session, portal: Portal, request: BookingRequest, dice: random.Random, now: datetime) -> bool:
    """Books it unless others compete for that time already: those are examples, which chance is not to decide."""
    then = min(now - LAST_MADE, request.interval.start - IN_TIME) - timedelta(hours=dice.randrange(EARLIER_HOURS))
    viewer, taken = Viewer(request.responsible_id or 1, is_admin=True), list(steps(dice))
    if queries.rival_ids(tx, portal.id, [request.resource_id or 0], request.interval):
        return False
    return live(tx, portal, request, taken, viewer=viewer, staff=viewer, then=then, now=now)


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


def steps(dice: random.Random) -> Iterator[str]:
    """What becomes of a booking, by chance: most are paid or confirmed soon, some are left waiting."""
    taken = {name for name, chance in STEPS.items() if dice.random() < chance}
    for name in STEPS:
        if name in taken:
            taken.discard(INSTEAD.get(name, ""))
            yield name
            if name == "cancel":
                return


if __name__ == "__main__":
    main()
