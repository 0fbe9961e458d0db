"""The first page of a frame: the board, or a card's bookings above it. Fragments replace parts of it afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import current_app, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup, escape

from b24app import texts
from b24app.booking.change import may_change
from b24app.ledger import queries
from b24app.ledger.queries import BookingRow
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.stage import HOLDING
from b24app.web import bearer, board
from b24app.web.board import blueprint
from b24app.web.bookings import card_of_visit
from b24app.web.crm import CardContext
from b24app.web.panel import STAGE_LOOKS
from b24app.web.visit import Visit, current_tenant, current_visit, now, seen_tenant, services

RANGE = re.compile(r"(\d+:\d\d–\d+:\d\d)")
SHOWN = 3  # bookings of a card beside the next one: the board below them should be in sight


@dataclass(frozen=True, slots=True)
class Line:
    """One booking in the tab of a card."""

    row: BookingRow
    number: int
    day: date
    day_words: str
    weekday: str
    month: str
    time: str
    what: str
    where: str
    stage: str
    look: str
    ahead: bool
    running: bool
    movable: bool


@dataclass(frozen=True, slots=True)
class Tab:
    """The bookings of a card: the next one, the newest of the others; more of them and dropped ones are folded away."""

    card: CardContext
    next: Line | None
    others: list[Line]
    more: list[Line]
    past: list[Line]
    dropped: list[Line]
    empty_title: str


@blueprint.app_template_global()
def asset(name: str) -> str:
    """The address of a static file; it changes with the file, so that browsers may keep it."""
    path = Path(current_app.static_folder or "") / name
    return url_for("static", filename=name, v=int(path.stat().st_mtime))


@blueprint.app_template_filter()
def nobreak(text: str) -> Markup:
    """The text with its ranges of time kept in one line."""
    return Markup(RANGE.sub(r'<span class="nb">\1</span>', str(escape(text))))  # noqa: S704 — escaped just here


@blueprint.app_template_global()
def script_words() -> dict[str, str]:
    """What static/app.js says to people."""
    return {
        "past": _("This time has already passed"),
        "booked": _("Booking No. {number}"),
        "saved": _("Saved: {name}"),
        "offline": _("There is no connection. What you see may be out of date."),
        "expired": _("The session has ended. Open the page again from Bitrix24."),
        "free": _("free"),
        "close": _("Close"),
    }


def render_place(visit: Visit, card: CardContext | None) -> str:
    """The whole page for the place where the portal shows us; `card` was read with the visitor's own token."""
    with transaction(services().engine) as tx:
        tenant = current_tenant(tx)
        shown = board.read_board(tx, tenant, visit, None, now())
        tab = _tab(tx, tenant, visit, card) if card else None
    return render_template(
        "tab/page.html" if tab else "board/page.html",
        visit=visit,
        board=shown,
        tab=tab,
        bearer=bearer.issue(visit),
        language=visit.language,
        expires_in=int((visit.expires_at - now()).total_seconds()),
    )


@blueprint.get("/app/tab")
def tab_fragment() -> ResponseReturnValue:
    """The bookings of the card in whose tab we are, as a fragment."""
    visit = current_visit()
    card = card_of_visit(visit)
    with transaction(services().engine) as tx:
        tab = _tab(tx, seen_tenant(), visit, card) if card else None
    return render_template("tab/_bookings.html", tab=tab, visit=visit)


def _tab(tx: Session, tenant: Tenant, visit: Visit, card: CardContext) -> Tab:
    lines = [_line(visit, row, now()) for row in _bookings_of(tx, tenant, visit, card)]
    alive = [line for line in lines if line.row.booking.stage not in ("cancelled", "expired")]
    coming = [line for line in alive if line.ahead or line.running]
    first = min(coming, key=lambda line: line.row.interval.start, default=None)
    later = sorted((line for line in coming if line is not first), key=lambda line: line.row.interval.start)
    past = [line for line in alive if line not in coming]
    dropped = [line for line in lines if line not in alive]
    return Tab(card, first, later[:SHOWN], later[SHOWN:], past, dropped, _nothing_yet(card.kind))


def _nothing_yet(kind: str) -> str:
    words = {
        "deal": _("This deal has no bookings yet"),
        "contact": _("This contact has no bookings yet"),
        "company": _("This company has no bookings yet"),
    }
    return words[kind]


def _bookings_of(tx: Session, tenant: Tenant, visit: Visit, card: CardContext) -> list[BookingRow]:
    if card.kind == "deal":
        return queries.bookings_of_deal(tx, tenant.portal.id, visit.viewer, card.id)
    return queries.bookings_of_client(tx, tenant.portal.id, visit.viewer, card.kind, card.id)


def _line(visit: Visit, row: BookingRow, at: datetime) -> Line:
    language = visit.language
    zone = ZoneInfo(row.resources[0].time_zone if row.resources else "UTC")
    start, end = row.interval.start, row.interval.end
    day = start.astimezone(zone).date()
    booking = row.booking
    return Line(
        row=row,
        number=booking.number,
        day=day,
        day_words=texts.day(language, day, short=True),
        weekday=texts.weekday(language, day),
        month=texts.month(language, day),
        time=texts.span(start, end, zone),
        what=booking.title or (row.client.name if row.client else row.service.name),
        where=", ".join(one.name for one in row.resources),
        stage=texts.say(language, f"stage.{booking.stage}"),
        look=STAGE_LOOKS[booking.stage],
        ahead=start > at and booking.stage in HOLDING,
        running=start <= at < end and booking.stage in HOLDING,
        movable=booking.stage in HOLDING and may_change(visit.viewer, booking, row.resources),
    )
