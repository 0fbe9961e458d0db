"""Who has the places of a large pool at one time: for the panel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from b24app import texts
from b24app.errors import NotFound
from b24app.ledger import board as ledger
from b24app.ledger.session import Session, transaction
from b24app.ledger.spread import BoardBlock, BoardResource
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.web import lanes
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("places", __name__)

LONGEST_LOOK = 2 * 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class Holder:
    """One booking of the pool."""

    number: int
    label: str
    when: str
    look: str
    stage: str


@dataclass(frozen=True, slots=True)
class Places:
    """Everything that templates/board/_places.html shows. `start` and `end` are epoch seconds."""

    resource: BoardResource
    when: str
    start: int
    end: int
    day: str
    holders: list[Holder]
    left: int
    bookable: bool


@blueprint.get("/app/board/places")
def show() -> ResponseReturnValue:
    """The bookings of a pool at a time: `resource`, `start`, `end` (epoch seconds), `day` of the board."""
    resource_id, start, end = (_whole(name) for name in ("resource", "start", "end"))
    if not start < end <= start + LONGEST_LOOK:
        raise NotFound("resource")
    wanted = Interval(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
    with transaction(services().engine) as tx:
        page = _read_places(tx, seen_tenant(), current_visit(), resource_id, wanted)
    return render_template("board/_places.html", page=page)


def _whole(name: str) -> int:
    value = request.args.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) <= 10):
        raise NotFound("resource")
    return int(value)


def _read_places(tx: Session, tenant: Tenant, visit: Visit, resource_id: int, wanted: Interval) -> Places:
    """The page; raises NotFound when he may not see the bookings of that resource."""
    offered = ledger.offered(tx, tenant.portal.id, visit.viewer, wanted).only({resource_id})
    if not offered.shown or not offered.may("see", resource_id):
        raise NotFound("resource")
    look = ledger.Look(wanted, timedelta(minutes=tenant.portal.longest_minutes), now())
    held = ledger.standing(tx, tenant.portal.id, offered, look).held[resource_id]
    resource, zone = offered.shown[0], ZoneInfo(offered.shown[0].time_zone)
    writable = not tenant.installation.payment_expired and look.now < wanted.end
    left = max(0, len(resource.units or "1") - max((taken for *_, taken in lanes.counts(held)), default=0))
    return Places(
        resource=resource,
        when=texts.period(visit.language, wanted.start, wanted.end, zone),
        start=int(wanted.start.timestamp()),
        end=int(wanted.end.timestamp()),
        day=request.args.get("day", ""),
        holders=[_holder(visit.language, block, zone) for block in held],
        left=left,
        bookable=writable and left > 0 and offered.may("request", resource_id),
    )


def _holder(language: str, block: BoardBlock, zone: ZoneInfo) -> Holder:
    start, end = (block.more.start, block.more.end) if block.more else (block.start, block.end)
    from_, until = (datetime.fromtimestamp(instant, UTC) for instant in (start, end))
    paid = block.payment == "paid" and block.stage == "confirmed"
    stage = "paid" if paid else block.stage
    return Holder(
        number=block.number or 0,
        label=block.label or "",
        when=texts.span(from_, until, zone),
        look="paid" if paid else lanes.LOOKS.get(block.stage, "part"),
        stage=texts.say(language, f"stage.{stage}") if block.stage in lanes.LOOKS else gettext("Partly taken"),
    )
