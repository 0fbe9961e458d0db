"""What chance would not bring: each kind of booking, in each state, on days that are near."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24app.booking.clients import ClientData
from b24app.booking.reserve import BookingRequest
from b24app.booking.series import book_series, plan_series
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Session
from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.recurrence import Recurrence
from demo.company import ADMINISTRATOR, COMPANY, Company, clock, employee
from demo.life import live

MANAGERS = (3, 4)
NEAR_DAYS = 7
JUST_BEFORE, IN_TIME = timedelta(minutes=20), timedelta(days=2)


def book_examples(
    tx: Session, portal: Portal, company: Company, clients: Mapping[int, ClientData | None], now: datetime
) -> int:
    """Books them before anything else is in their way; `clients` are those of the portal's deals. The number made."""
    made = sum(book_example(tx, portal, company, row, clients, now) for row in COMPANY["examples"])
    return made + book_weekly(tx, portal, company, COMPANY["series"], now)


def book_example(
    tx: Session, portal: Portal, company: Company, row: dict[str, Any], clients: Mapping[int, ClientData | None],
    now: datetime,
) -> bool:  # fmt: skip
    """Books one on the first day that is open; False when there is none."""
    viewer = employee(row["by"]) if "by" in row else ADMINISTRATOR
    for interval in near_days(company, row, now):
        request = request_of(company, row, interval, clients)
        then = min(now - JUST_BEFORE, interval.start - IN_TIME) if row["in_days"] < 0 else now - JUST_BEFORE
        if live(tx, portal, request, row["then"], viewer=viewer, staff=ADMINISTRATOR, then=then, now=now):
            return True
    return False


def near_days(company: Company, row: dict[str, Any], now: datetime) -> Iterator[Interval]:
    """The time of an example on its day and, away from today, on those after it."""
    zone = ZoneInfo(company.resources[row.get("at", row["what"])].time_zone)
    today = now.astimezone(zone).date()
    for n in range(NEAR_DAYS):
        day = today + timedelta(days=row["in_days"] + (n if row["in_days"] >= 0 else -n))
        yield Interval(local_instant(day, clock(row["from"]), zone), local_instant(day, clock(row["to"]), zone))


def request_of(
    company: Company, row: dict[str, Any], interval: Interval, clients: Mapping[int, ClientData | None]
) -> BookingRequest:
    """What an example asks for: a resource or a service by its name, perhaps somebody picked for it."""
    resource, deal_id = company.resources.get(row["what"]), row.get("deal", 0)
    return BookingRequest(
        interval,
        resource_id=resource.id if resource else None,
        service_id=None if resource else company.services[row["what"]],
        resource_ids=frozenset(company.resources[name].id for name in row.get("pick", ())),
        party=row.get("party", 1),
        group=row.get("group", ""),
        extras=row.get("extras", {}),
        client=clients.get(deal_id),
        deal_id=deal_id if deal_id in clients else None,
        title=row.get("title", ""),
        source="import",
        responsible_id=row.get("by", MANAGERS[interval.start.day % 2]),
    )


def book_weekly(tx: Session, portal: Portal, company: Company, row: dict[str, Any], now: datetime) -> int:
    """The weekly meeting from the coming one of its weekdays on, on those of its dates that are open."""
    room = company.resources[row["what"]]
    start = coming(room, row["weekday"], clock(row["from"]), now)
    request = BookingRequest(
        Interval(start, start + timedelta(minutes=row["minutes"])), resource_id=room.id, title=row["title"],
        responsible_id=MANAGERS[0],
    )  # fmt: skip
    weekly = Recurrence("weekly", count=row["count"])
    plan = plan_series(tx, portal, request, weekly, viewer=ADMINISTRATOR, now=now)
    free = [one.day for one in plan if one.state == "free"]
    return len(book_series(tx, portal, request, weekly, free, viewer=ADMINISTRATOR, now=now)) if free else 0


def coming(resource: Resource, weekday: int, minutes: int, now: datetime) -> datetime:
    """The next such weekday after today, at this time where the resource is."""
    zone = ZoneInfo(resource.time_zone)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return local_instant(tomorrow + timedelta(days=(weekday - tomorrow.weekday()) % 7), minutes, zone)
