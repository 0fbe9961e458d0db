"""Sample data: a small company to click through, put in and taken out without a trace.

The portal is not shown the samples: no card, no event and no notice comes of them, unless somebody works with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.booking import configuration as setup
from b24app.booking.configuration import Configuration
from b24app.booking.configuration_apply import apply
from b24app.booking.configuration_read import Known, read_known
from b24app.booking.policies import make_policy
from b24app.booking.reserve import BookingRequest, book
from b24app.booking.resources import ResourceData
from b24app.booking.services import ServiceData
from b24app.errors import InvalidInput, NotAllowed
from b24app.ledger import guide as kept
from b24app.ledger import refs, rules, writes
from b24app.ledger import samples as rows
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal
from b24app.ledger.samples import Samples
from b24app.ledger.session import Tx
from b24app.scheduling.hours import OpeningHours, local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Rung
from b24app.scheduling.pricing import Tariff

OPENS, CLOSES = 8 * 60, 22 * 60
# What is booked: resource or service, days from today, hour, hours, and what it is about.
BOOKED = (
    ("room", 1, 10, 1, "planning"),
    ("room", 1, 13, 2, "training"),
    ("room", 2, 11, 1, "interview"),
    ("hall", 1, 12, 3, "rehearsal"),
    ("hall", 2, 17, 2, "show"),
    ("shoot", 1, 16, 1, "portrait"),
)


def standing(portal: Portal) -> Samples | None:
    """The samples of this portal, if there are any."""
    found = portal.guide.get("samples")
    return Samples.from_json(found) if found else None


def put_in(tx: Tx, portal: Portal, *, viewer: Viewer, now: datetime, longest_hours: int) -> Samples:
    """Resources, a service, rules, a price and some bookings of the next days.

    Raises InvalidInput when they are there already, or something is called as one of them is; NotAllowed.
    """
    _allow(viewer)
    if standing(portal):
        raise InvalidInput({"samples": "samples_there"})
    wanted = _company(portal)
    present = read_known(tx, portal, now).configuration
    taken = {one.key for section in SECTIONS for one in present.items(section)}
    if taken & {one.key for section in SECTIONS for one in wanted.items(section)}:
        raise InvalidInput({"samples": "samples_named"})
    apply(tx, portal, wanted, viewer=viewer, now=now, longest_hours=longest_hours)
    known = read_known(tx, portal, now)
    first = rules.lock_portal(tx, portal.id).next_number
    bookings = tuple(book(tx, portal, one, viewer=viewer, now=now).id for one in _requests(portal, known, now))
    last = rules.lock_portal(tx, portal.id).next_number
    ids: dict[str, Any] = {
        section: tuple(known.ids[section][one.key] for one in wanted.items(section)) for section in SECTIONS
    }  # fmt: skip
    samples = Samples(**ids, bookings=bookings, numbers=(first, last))
    rows.forget_pictures(tx, portal.id, samples)
    kept.keep(tx, portal.id, samples=samples.to_json())
    return samples


SECTIONS = ("tariffs", "policies", "resources", "services")


def take_out(tx: Tx, portal: Portal, *, viewer: Viewer) -> None:
    """Removes everything that was put in. Raises InvalidInput when anything real stands on it, and NotAllowed."""
    samples = check_free(tx, portal, viewer=viewer)
    rows.hold(tx, portal.id, samples)
    check_free(tx, portal, viewer=viewer)
    refs.hold(tx, portal.id)
    rules.lock_portal(tx, portal.id)
    rows.take_out(tx, portal, samples)
    kept.keep(tx, portal.id, samples=None)
    writes.board_changed(tx, portal.id)


def check_free(tx: Tx, portal: Portal, *, viewer: Viewer) -> Samples:
    """The samples, when they can go. Raises InvalidInput and NotAllowed."""
    _allow(viewer)
    samples = standing(portal)
    if samples is None:
        raise InvalidInput({"samples": "samples_gone"})
    if rows.real_bookings(tx, portal.id, samples):
        raise InvalidInput({"samples": "samples_booked"})
    if rows.used_elsewhere(tx, portal.id, samples):
        raise InvalidInput({"samples": "samples_used"})
    return samples


def _allow(viewer: Viewer) -> None:
    if not viewer.is_admin:
        raise NotAllowed("settings")


def _called(portal: Portal, code: str) -> str:
    """The name of a sample in the portal's language; it says that it is one."""
    return texts.say(portal.language, "sample", name=texts.say(portal.language, f"sample.{code}"))


def _company(portal: Portal) -> Configuration:
    policy = make_policy(
        name=_called(portal, "rules"), hold_minutes=120, cancel_ladder=(Rung(24, 50), Rung(3, 100)), no_show_percent=100
    )
    tariff = Tariff(_called(portal, "tariff"), "hour", Decimal(2400), deposit_percent=50)
    plain = ResourceData(
        kind="room",
        name=_called(portal, "room"),
        capacity=8,
        time_zone=portal.time_zone,
        hours=tuple(OpeningHours(day, OPENS, CLOSES) for day in range(7)),
    )
    hall = replace(plain, kind="hall", name=_called(portal, "hall"), capacity=40, step_minutes=60, min_minutes=60)
    person = replace(plain, kind="specialist", name=_called(portal, "person"), capacity=1)
    shoot = ServiceData(_called(portal, "shoot"), 60, 60, 30)
    return Configuration(
        policies=(setup.policy(policy),),
        tariffs=(setup.tariff(tariff),),
        resources=(
            setup.resource(plain),
            setup.resource(hall, policy=policy.name, tariff=tariff.name),
            setup.resource(person),
        ),
        services=(setup.service(shoot, requirements=[([person.name], 1)]),),
    )


def _requests(portal: Portal, known: Known, now: datetime) -> Iterator[BookingRequest]:
    zone = ZoneInfo(portal.time_zone)
    today = now.astimezone(zone).date()
    for what, days, hour, hours, title in BOOKED:
        start = local_instant(today + timedelta(days=days), hour * 60, zone)
        section = "services" if what == "shoot" else "resources"
        named: dict[str, Any] = {f"{section[:-1]}_id": known.ids[section][_called(portal, what)]}
        yield BookingRequest(
            Interval(start, start + timedelta(hours=hours)), **named, source="import", intent="confirm",
            title=texts.say(portal.language, f"sample.{title}"),
        )  # fmt: skip
