"""What the panel of one booking shows: facts, whether the portal has it, and its history in words."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.booking.change import may_change
from b24app.errors import NotAllowed
from b24app.ledger import queries, refs, tenancy
from b24app.ledger.models import Client, ExternalRef, History, Portal, Resource
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.stage import HOLDING, Stage
from b24app.sync.laid import LaidCrm
from b24app.web.visit import Visit

STAGE_LOOKS = {
    "prebooked": "hold",
    "confirmed": "conf",
    "completed": "done",
    "no_show": "nosh",
    "cancelled": "canc",
    "expired": "canc",
    "paid": "paid",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the booking in the portal. `state`: there, waiting or parked; `path` opens it there."""

    kind: str
    state: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class InPortal:
    """All pictures of a booking in the portal."""

    pictures: tuple[Picture, ...]

    @property
    def waiting(self) -> bool:
        return any(picture.state == "waiting" for picture in self.pictures)

    @property
    def parked(self) -> list[Picture]:
        return [picture for picture in self.pictures if picture.state == "parked"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history."""

    action: str
    words: str
    details: tuple[str, ...]
    who: str
    at: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Everything that templates/bookings/_panel.html shows."""

    id: uuid.UUID
    number: int
    revision: int
    title: str
    notes: str
    stage: str
    look: str
    when: str
    lasts: str
    zone_note: str
    resources: tuple[Resource, ...]
    client: Client | None
    deal_id: int | None
    responsible: str
    portal: InPortal
    history: list[Entry]
    may_change: bool

    @property
    def needs_crm(self) -> bool:
        """Whether there is something that only the CRM may show."""
        return self.deal_id is not None or (self.client is not None and self.client.crm_id is not None)


def read(tx: Session, tenant: Tenant, visit: Visit, booking_id: uuid.UUID) -> Panel:
    """The panel of a booking that this visitor may see; raises NotFound."""
    return of_row(tx, tenant, visit, queries.booking(tx, tenant.portal.id, visit.viewer, booking_id))


def of_row(tx: Session, tenant: Tenant, visit: Visit, row: queries.BookingRow) -> Panel:
    """The panel of a booking that was read for this visitor."""
    booking, language = row.booking, visit.language
    zone = ZoneInfo(row.resources[0].time_zone if row.resources else visit.time_zone)
    changes = queries.history(tx, tenant.portal.id, booking.id)
    resources = _resource_names(tx, tenant, visit, changes)
    names = tenancy.user_names(tx, tenant.portal.id) | {visit.viewer.user_id: visit.name}
    stage = "paid" if booking.payment == "paid" and booking.stage == Stage.CONFIRMED else str(booking.stage)
    return Panel(
        id=booking.id,
        number=booking.number,
        revision=booking.revision,
        title=booking.title,
        notes=booking.notes,
        stage=texts.say(language, f"stage.{stage}"),
        look=STAGE_LOOKS[stage],
        when=texts.period(language, row.interval.start, row.interval.end, zone),
        lasts=texts.duration(language, int(row.interval.duration.total_seconds() // 60)),
        zone_note=texts.zone(language, zone, row.interval.start) if zone.key != visit.time_zone else "",
        resources=row.resources,
        client=row.client,
        deal_id=booking.deal_id,
        responsible=_user(language, names, booking.responsible_id),
        portal=in_portal(tenant.portal, refs.of_booking(tx, tenant.portal.id, booking.id)),
        history=[_entry(language, one, names, zone, resources) for one in changes],
        may_change=booking.stage in HOLDING
        and not tenant.installation.payment_expired
        and may_change(visit.viewer, booking, row.resources),
    )


def check_writable(tenant: Tenant) -> None:
    """Raises NotAllowed when this portal may only read: its application has not been paid for."""
    if tenant.installation.payment_expired:
        raise NotAllowed("payment")


def in_portal(portal: Portal, known: Sequence[ExternalRef]) -> InPortal:
    """What the portal has of a booking. A picture that was taken away there is not shown."""
    bookings = LaidCrm.from_json(portal.crm).bookings
    pictures = []
    for ref in known:
        path = ""
        if ref.kind == "item" and ref.remote_id is not None and bookings is not None:
            path = f"/crm/type/{bookings.entity_type_id}/details/{ref.remote_id}/"
        if ref.parked_reason is not None:
            pictures.append(Picture(ref.kind, "parked", path, ref.parked_reason))
        elif ref.dirty_since is not None:
            pictures.append(Picture(ref.kind, "waiting", path, ""))
        elif ref.remote_id is not None:
            pictures.append(Picture(ref.kind, "there", path, ""))
    return InPortal(tuple(pictures))


def _resource_names(tx: Session, tenant: Tenant, visit: Visit, changes: Sequence[History]) -> Mapping[int, str]:
    """The names of resources that the history speaks of; read only when one was changed at all."""
    if not any("resources" in one.before for one in changes):
        return {}
    every = [
        *queries.resources(tx, tenant.portal.id, visit.viewer),
        *queries.resources(tx, tenant.portal.id, visit.viewer, archived=True),
    ]
    return {resource.id: resource.name for resource in every}


def _entry(
    language: str, change: History, names: Mapping[int, str], zone: ZoneInfo, resources: Mapping[int, str]
) -> Entry:
    return Entry(
        action=change.action,
        words=texts.say_refusal(language, "history", change.action),
        details=tuple(_details(language, change, zone, resources)),
        who=_actor(language, names, change.actor),
        at=f"{texts.day(language, change.at.astimezone(zone).date(), short=True)}, {texts.clock(change.at, zone)}",
    )


def _details(language: str, change: History, zone: ZoneInfo, resources: Mapping[int, str]) -> list[str]:
    """From what to what, for a booking that was moved."""
    if not change.before:
        return []
    found = []
    if "start" in change.before or "end" in change.before:
        found.append(_moved(language, change, zone))
    if "resources" in change.before:
        was, became = (_named(resources, one["resources"]) for one in (change.before, change.after))
        if was and became:
            found.append(f"{was} → {became}")
    return found


def _bound(change: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(change[name]) if name in change else None


def _moved(language: str, change: History, zone: ZoneInfo) -> str:
    """The bounds that changed, as they were and as they are; with the day when that is another one."""
    was, became = (_words(language, side, zone, _other_day(change, zone)) for side in (change.before, change.after))
    return f"{was} → {became}"


def _other_day(change: History, zone: ZoneInfo) -> bool:
    days = {
        bound.astimezone(zone).date()
        for side in (change.before, change.after)
        for name in ("start", "end")
        if (bound := _bound(side, name))
    }
    return len(days) > 1


def _words(language: str, side: Mapping[str, Any], zone: ZoneInfo, with_day: bool) -> str:
    start, end = _bound(side, "start"), _bound(side, "end")
    if start and end:
        return texts.period(language, start, end, zone) if with_day else texts.span(start, end, zone)
    bound = start or end
    assert bound is not None, "called for changes of time only"
    day = f"{texts.day(language, bound.astimezone(zone).date(), short=True)}, " if with_day else ""
    known = "from_time" if start else "until_time"
    return texts.say(language, known, time=f"{day}{texts.clock(bound, zone)}")


def _named(resources: Mapping[int, str], ids: Sequence[int]) -> str:
    return ", ".join(resources[one] for one in ids if one in resources)


def _actor(language: str, names: Mapping[int, str], actor: str) -> str:
    kind, _, number = actor.partition(":")
    if kind == "user" and number.isdecimal():
        return _user(language, names, int(number))
    return texts.say_refusal(language, "actor", kind)


def _user(language: str, names: Mapping[int, str], user_id: int | None) -> str:
    if user_id is None:
        return ""
    return names.get(user_id) or texts.say(language, "actor.user", id=user_id)
