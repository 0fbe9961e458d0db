"""A company at whose desk bookings are confirmed, paid and cancelled: what tests of the panel start from."""

from __future__ import annotations

import html
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select
from werkzeug.test import TestResponse

from b24app.booking.reserve import BookingRequest, book
from b24app.ledger import queries
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Booking, Grant, Resource, Service
from b24app.ledger.queries import Money
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import Tariff
from tests import factories
from tests.stand import ADMIN, MANAGER, Frame
from tests.web.installed import Installed

HOURLY = Tariff("Studio", "hour", Decimal(2400), deposit_percent=50)
RULES: dict[str, dict[str, Any]] = {
    "hold": {"winner": "first", "hold_minutes": 120},
    "payment": {"winner": "payment", "decide_minutes": 180},
    "manager": {"winner": "manager", "decide_minutes": 180},
}


@dataclass
class Desk:
    """The installed application with a room; each test makes services on it. Everybody speaks English."""

    installed: Installed
    room: Resource

    @property
    def now(self) -> datetime:
        return self.installed.stand.now

    def forward(self, **by: float) -> None:
        self.installed.stand.now += timedelta(**by)

    def service(
        self, *needs: Any, rules: dict[str, Any] | None = None, tariff: Tariff | None = HOURLY, **values: Any
    ) -> Service:
        with self.installed.tx() as tx:
            return factories.make_service(
                tx, self.installed.portal(), *(needs or ((self.room, 1),)), rules=rules, tariff=tariff,
                **{"min_minutes": 60, "max_minutes": 240, "name": "Portrait", **values},
            )  # fmt: skip

    def resource(self, **values: Any) -> Resource:
        with self.installed.tx() as tx:
            return factories.make_resource(tx, self.installed.portal(), now=self.now, **values)

    def book(
        self, what: Service | Resource, start: float = 24, length: float = 1, *, by: int = MANAGER, **values: Any
    ) -> Booking:
        """A booking that begins `start` hours from now, made by this user as an ordinary employee."""
        named: dict[str, Any] = {"service_id" if isinstance(what, Service) else "resource_id": what.id}
        request = BookingRequest(self.hours(start, length), **named, **values)
        viewer = Viewer(by, is_admin=by == ADMIN, grants=tuple(GrantRule(*one) for one in self.grants()))
        with self.installed.tx() as tx:
            return book(tx, self.installed.portal(), request, viewer=viewer, now=self.now)

    def hours(self, start: float, length: float = 1) -> Interval:
        return factories.hour(self.now, start, length)

    def grants(self) -> list[tuple[str, str, str]]:
        with self.installed.tx() as tx:
            return [(row.scope, row.code, row.right) for row in tx.scalars(select(Grant))]

    def grant(self, right: str, code: str = "AU", *, alone: bool = False) -> None:
        """Gives a right on everything; `alone`: and takes away those of everybody else."""
        with self.installed.tx() as tx:
            if alone:
                tx.execute(delete(Grant))
            tx.add(Grant(portal_id=self.installed.portal().id, scope="everything", code=code, right=right))

    def open(self, user_id: int = MANAGER, **place: Any) -> Frame:
        return self.installed.open(user_id, LANG="en", **place)

    def state(self, booking: Booking | uuid.UUID) -> Booking:
        """The booking as it is now."""
        booking_id = booking.id if isinstance(booking, Booking) else booking
        with self.installed.tx() as tx:
            return tx.scalars(select(Booking).where(Booking.id == booking_id)).one()

    def change(self, booking: Booking, **values: Any) -> None:
        """Writes into a booking's row what otherwise only time brings about."""
        with self.installed.tx() as tx:
            row = tx.scalars(select(Booking).where(Booking.id == booking.id)).one()
            for name, value in values.items():
                setattr(row, name, value)

    def money(self, booking: Booking) -> Money:
        with self.installed.tx() as tx:
            return queries.money(tx, self.installed.portal().id, booking.id)

    def act(self, frame: Frame, booking: Booking, action: str, **form: Any) -> TestResponse:
        """The action with the revision that the booking has now."""
        sent = {"revision": self.state(booking).revision, **form}
        return frame.post(f"/app/bookings/{booking.id}/{action}", **sent)

    def pay(
        self, frame: Frame, booking: Booking, amount: object, action: str = "payments", **form: Any
    ) -> TestResponse:
        sent = {
            "amount": amount, "method": "cash", "on_day": self.now.date().isoformat(), "note": "",
            "request_key": uuid.uuid4().hex, **form,
        }  # fmt: skip
        return frame.post(f"/app/bookings/{booking.id}/{action}", **sent)

    def panel(self, frame: Frame, booking: Booking) -> str:
        """What its panel says."""
        return words(frame.get(f"/app/bookings/{booking.id}").text)


def words(text: str) -> str:
    """What a person reads of some markup."""
    bare = html.unescape(re.sub(r"<[^>]+>", " ", text)).replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r" ([.,:])", r"\1", " ".join(bare.split()))


def stage(text: str) -> str:
    """The label at the top of a panel: its look and its words."""
    look, said = re.findall(r'<span class="st big (\w+)">([^<]*)</span>', text)[0]
    return f"{look}: {html.unescape(said)}"


def buttons(text: str) -> set[str]:
    """What may be done: the actions that stand behind buttons and forms."""
    return set(re.findall(r'hx-post="/app/bookings/[0-9a-f-]{36}/([a-z-]+)"', text))


def filled(text: str) -> list[str]:
    """The filled buttons below the panel."""
    footer = text[text.index('<footer class="pfoot">') :]
    found = re.findall(r'<button class="btn pri[^"]*"[^>]*>(.*?)</button>', footer, re.DOTALL)
    return [words(one) for one in found]


def wrong_fields(answer: TestResponse) -> dict[str, str]:
    """The sentence at each field that was refused, by the form's name and the field's."""
    found = re.findall(r'<span class="errt" id="e-([^"]+)">.*?</svg>([^<]+)</span>', answer.text, re.DOTALL)
    return {name: words(text) for name, text in found}
