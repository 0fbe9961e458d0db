"""The fictional company: its rules, tariffs, resources, services and rights, as an administrator would enter them.

`set_up` is shared by the demo and by the tests in a browser, so that what is shown is what is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from b24app.booking.access import save_access
from b24app.booking.closures import ClosureData, save_closure
from b24app.booking.policies import make_policy, save_policy
from b24app.booking.resources import ResourceData, save_resource
from b24app.booking.services import ServiceData, save_service
from b24app.booking.tariffs import save_tariff
from b24app.ledger.access import GrantRule, Viewer, codes_of, concerning
from b24app.ledger.catalog import Need
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Session
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.policy import Policy, Quota, Rung
from b24app.scheduling.pricing import Tariff

COMPANY = json.loads((Path(__file__).parent / "company.json").read_text(encoding="utf-8"))
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ADMINISTRATOR = Viewer(1, is_admin=True)
GRANTS = [GrantRule(*row) for row in COMPANY["grants"]]


@dataclass(frozen=True)
class Company:
    """What was set up, by name. `services`: ids of services that are more than one bare resource."""

    resources: dict[str, Resource]
    services: dict[str, int]

    @property
    def plain(self) -> list[Resource]:
        """What stands for itself: everything but wholes made of others."""
        return [one for one in self.resources.values() if not one.is_composite]


def set_up(tx: Session, portal: Portal, now: datetime, longest_hours: int) -> Company:
    """Rules, tariffs, resources, services, closures and rights, in the order in which they need each other."""
    chosen = Choices(
        {row["name"]: _add_policy(tx, portal, row, now) for row in COMPANY["policies"]},
        {
            row["name"]: save_tariff(tx, portal, tariff_of(row), viewer=ADMINISTRATOR, now=now).id
            for row in COMPANY["tariffs"]
        },
    )
    known: dict[str, Resource] = {}
    for number, row in enumerate(COMPANY["resources"]):
        known[row["name"]] = save_resource(
            tx, portal, resource_data(row, known, chosen), viewer=ADMINISTRATOR, now=now, longest_hours=longest_hours,
            sort=number,
        )  # fmt: skip
    services = {
        row["name"]: save_service(
            tx, portal, service_data(row, known, chosen), viewer=ADMINISTRATOR, now=now, longest_hours=longest_hours
        ).id
        for row in COMPANY["services"]
    }
    for row in COMPANY["closures"]:
        save_closure(tx, portal, closure_data(row, known, now), viewer=ADMINISTRATOR, now=now)
    save_access(tx, portal, GRANTS, viewer=ADMINISTRATOR, now=now)
    return Company(known, services)


def employee(user_id: int) -> Viewer:
    """Somebody of the company who is no administrator, with the rights that it has given him."""
    return Viewer(user_id, grants=concerning(GRANTS, codes_of(user_id, ())))


@dataclass(frozen=True)
class Choices:
    """Ids of rules and of tariffs, by name."""

    policies: dict[str, int]
    tariffs: dict[str, int]

    def policy_of(self, row: dict[str, Any]) -> int | None:
        """The rules that a resource or service names."""
        return self.policies[row["policy"]] if "policy" in row else None

    def tariff_of(self, row: dict[str, Any]) -> int | None:
        """The tariff that it names."""
        return self.tariffs[row["tariff"]] if "tariff" in row else None


def _add_policy(tx: Session, portal: Portal, row: dict[str, Any], now: datetime) -> int:
    return save_policy(
        tx, portal, policy_of(row), viewer=ADMINISTRATOR, now=now, is_default=row.get("is_default", False)
    ).id


def policy_of(row: dict[str, Any]) -> Policy:
    """Rules out of their row."""
    values = {name: value for name, value in row.items() if name != "is_default"}
    for ladder in ("cancel_ladder", "move_ladder"):
        values[ladder] = tuple(Rung(*rung) for rung in row.get(ladder, ()))
    return make_policy(**values | {"quotas": tuple(Quota(*quota) for quota in row.get("quotas", ()))})


def tariff_of(row: dict[str, Any]) -> Tariff:
    """A tariff out of its row, in which an extra is [code, name, price, per]."""
    extras = [dict(zip(("code", "name", "price", "per"), extra, strict=True)) for extra in row["extras"]]
    return Tariff.from_dict(row | {"extras": extras})


def resource_data(row: dict[str, Any], known: dict[str, Resource], chosen: Choices) -> ResourceData:
    """A resource out of its row; the parts of a whole stand before it."""
    return ResourceData(
        kind=row["kind"],
        name=row["name"],
        capacity=row.get("capacity", 1),
        step_minutes=row["step"],
        min_minutes=row.get("min", row["step"]),
        max_minutes=row.get("max", 480),
        portal_user_id=row.get("user"),
        hours=tuple(weekly_hours(COMPANY["hours"][row["hours"]])),
        units=row.get("units", 1),
        parts=tuple(known[name].id for name in row.get("parts", ())),
        buffer_before=row.get("before", 0),
        buffer_after=row.get("after", 0),
        holidays=row.get("holidays", ""),
        policy_id=chosen.policy_of(row),
        tariff_id=chosen.tariff_of(row),
        **COMPANY["places"][row["place"]],
    )


def service_data(row: dict[str, Any], known: dict[str, Resource], chosen: Choices) -> ServiceData:
    """A service out of its row."""
    return ServiceData(
        name=row["name"],
        min_minutes=row["min"],
        max_minutes=row["max"],
        step_minutes=row["step"],
        buffer_after=row.get("after", 0),
        requirements=tuple(need_of(what, quantity, known) for what, quantity in row["needs"]),
        preference=row.get("preference", "order"),
        policy_id=chosen.policy_of(row),
        tariff_id=chosen.tariff_of(row),
    )


def need_of(what: str | list[str], quantity: int, known: dict[str, Resource]) -> Need:
    """So many of a kind, or of those that are able, by name."""
    if isinstance(what, str):
        return Need(what, (), quantity)
    return Need(None, tuple(known[name].id for name in what), quantity)


def closure_data(row: dict[str, Any], known: dict[str, Resource], now: datetime) -> ClosureData:
    """A closure out of its row, in which the day is counted from today."""
    resource = known[row["resource"]]
    day = now.astimezone(ZoneInfo(resource.time_zone)).date() + timedelta(days=row["in_days"])
    return ClosureData(
        day, start=clock(row["from"]), end=clock(row["to"]), resource_id=resource.id, reason=row["reason"]
    )


def weekly_hours(rows: dict[str, str]) -> Iterator[OpeningHours]:
    """{"mon-fri": "9-20"} as stretches of the week."""
    for days, span in rows.items():
        first, last = (DAYS.index(day) for day in days.split("-"))
        opens, closes = (clock(hour) for hour in span.split("-"))
        for weekday in range(first, last + 1):
            yield OpeningHours(weekday, opens, closes)


def clock(text: str) -> int:
    """ "10:30" or "10" as minutes after midnight."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes or 0)
