"""Adding, editing and archiving what can be booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from b24app.errors import InvalidInput, NotAllowed, NotFound, Stale
from b24app.ledger import occupancy, refs, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Tx
from b24app.scheduling import hours as opening

KINDS = ("room", "hall", "equipment", "specialist", "vehicle")
STEPS = (5, 10, 15, 30, 60)


@dataclass(frozen=True, slots=True)
class ResourceData:
    """Everything about a resource that an administrator sets. Minutes, and `capacity` in people."""

    kind: str
    name: str
    city: str = ""
    address: str = ""
    capacity: int = 1
    time_zone: str = "Europe/Moscow"
    step_minutes: int = 30
    min_minutes: int = 30
    max_minutes: int = 8 * 60
    horizon_days: int = 365
    portal_user_id: int | None = None
    calendar_mode: str = "default"
    hours: tuple[opening.OpeningHours, ...] = ()


def check(data: ResourceData, longest_hours: int) -> None:
    """Raises InvalidInput with a code for every field that cannot be saved."""
    wrong = {
        "kind": "unknown_kind" if data.kind not in KINDS else None,
        "name": _length(data.name, 1, 120),
        "city": _length(data.city, 0, 80),
        "address": _length(data.address, 0, 200),
        "capacity": None if 1 <= data.capacity <= 100_000 else "out_of_range",
        "time_zone": None if opening.is_zone(data.time_zone) else "unknown_zone",
        "step_minutes": None if data.step_minutes in STEPS else "unknown_step",
        "min_minutes": None if 0 < data.min_minutes <= data.max_minutes else "min_over_max",
        "max_minutes": None if data.max_minutes <= longest_hours * 60 else "too_long",
        "horizon_days": None if 1 <= data.horizon_days <= 3650 else "out_of_range",
        "calendar_mode": None if data.calendar_mode in ("default", "none") else "unknown_calendar",
        "hours": "hours_overlap" if opening.overlapping_hours(data.hours) else None,
    }
    found = {field: code for field, code in wrong.items() if code}
    if data.step_minutes in STEPS:
        off_grid = {f: "off_grid" for f in ("min_minutes", "max_minutes") if getattr(data, f) % data.step_minutes}
        found = off_grid | found
    if found:
        raise InvalidInput(found)


def _length(value: str, low: int, high: int) -> str | None:
    if len(value.strip()) < low:
        return "required"
    return "too_many_characters" if len(value) > high else None


def save_resource(
    tx: Tx,
    portal: Portal,
    data: ResourceData,
    *,
    viewer: Viewer,
    now: datetime,
    longest_hours: int,
    resource_id: int | None = None,
    revision: int | None = None,
    sort: int | None = None,
) -> Resource:
    """The resource, added or changed, with its unit, hours and service. Raises InvalidInput, NotAllowed, Stale."""
    check(data, longest_hours)
    resource = _loaded(tx, portal, resource_id, revision, viewer)
    resource.kind, resource.name = data.kind, data.name.strip()
    resource.city, resource.address = data.city.strip(), data.address.strip()
    resource.capacity, resource.time_zone = data.capacity, data.time_zone
    resource.step_minutes, resource.calendar_mode = data.step_minutes, data.calendar_mode
    resource.portal_user_id = data.portal_user_id if data.kind == "specialist" else None
    if sort is not None:
        resource.sort = sort
    tx.add(resource)
    tx.flush()
    writes.replace_hours(tx, portal.id, resource.id, data.hours)
    writes.save_bare_service(
        tx, resource, min_minutes=data.min_minutes, max_minutes=data.max_minutes, horizon_days=data.horizon_days
    )
    refs.touch_resource(tx, portal, resource.id, now)
    return resource


def _loaded(tx: Tx, portal: Portal, resource_id: int | None, revision: int | None, viewer: Viewer) -> Resource:
    if resource_id is None:
        if not viewer.is_admin:
            raise NotAllowed("manage")
        return Resource(portal_id=portal.id)
    resource = occupancy.lock(tx, portal.id, [resource_id])[resource_id]
    if not viewer.may("busy", resource):
        raise NotFound("resource")
    if not viewer.may("manage", resource):
        raise NotAllowed("manage")
    if revision is not None and resource.revision != revision:
        raise Stale(resource.revision)
    resource.revision += 1
    return resource


def archive_resource(
    tx: Tx,
    portal: Portal,
    resource_id: int,
    *,
    viewer: Viewer,
    now: datetime,
    archived: bool = True,
    revision: int | None = None,
) -> Resource:
    """The resource, no longer offered (or offered again); bookings that stand on it stay."""
    resource = _loaded(tx, portal, resource_id, revision, viewer)
    resource.archived_at = now if archived else None
    tx.flush()
    refs.touch_resource(tx, portal, resource.id, now)
    return resource
