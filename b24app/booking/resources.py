"""Adding, editing and archiving what can be booked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from zoneinfo import ZoneInfo

from b24app.booking import changes, holidays, kinds
from b24app.booking.policies import wrong_choices
from b24app.errors import InvalidInput, NotAllowed, NotFound, Stale
from b24app.ledger import configured, facilities, occupancy, queries, refs
from b24app.ledger.access import Viewer
from b24app.ledger.facilities import Composition
from b24app.ledger.kinds import next_sort
from b24app.ledger.models import Portal, Resource
from b24app.ledger.session import Tx
from b24app.scheduling import hours as opening

KINDS = kinds.BUILT_IN
STEPS = (1, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240)  # offered; see `is_step`. 1: any minute
MOST_UNITS = 200
MOST_PARTS = 50
MOST_SPECIAL_DAYS = 400
MOST_ATTRIBUTES = 20
LONGEST_ATTRIBUTE = (60, 300)  # its name, its text
LONGEST_BUFFER = opening.DAY_MINUTES
FIRST_YEAR, LAST_YEAR = 2000, 2100


def is_step(minutes: int) -> bool:
    """Whether times may go in such steps: the day must be a whole number of them, or no two days would be alike."""
    return 1 <= minutes <= opening.DAY_MINUTES and opening.DAY_MINUTES % minutes == 0


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """The hours of one date instead of the week's, as pairs of minutes after midnight; none: closed that day."""

    day: date
    stretches: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceData:
    """Everything about a resource that an administrator sets. Minutes, and `capacity` in people.

    With `parts` (ids of other resources) it is a composite: it takes all units of its parts and has none itself, so
    `units` says nothing. `holidays` is the country whose public holidays close it, or empty. `attributes`: whatever
    else is worth knowing, by name.
    """

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
    calendar_owner: int | None = None
    calendar_section: int | None = None
    hours: tuple[opening.OpeningHours, ...] = ()
    units: int = 1
    parts: tuple[int, ...] = ()
    buffer_before: int = 0
    buffer_after: int = 0
    holidays: str = ""
    special: tuple[SpecialDay, ...] = ()
    policy_id: int | None = None
    tariff_id: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


OF_THE_SERVICE = ("min_minutes", "max_minutes", "horizon_days", "policy_id", "tariff_id")
_NAMES = [one.name for one in fields(ResourceData) if one.name not in OF_THE_SERVICE]


def check(data: ResourceData, longest_hours: int) -> None:
    """Raises InvalidInput with a code for every field that cannot be saved, whatever is saved already."""
    wrong = {
        "kind": None if kinds.is_kind(data.kind) else "unknown_kind",
        "name": _length(data.name, 1, 120),
        "city": _length(data.city, 0, 80),
        "address": _length(data.address, 0, 200),
        "capacity": _within(data.capacity, 1, 100_000),
        "time_zone": None if opening.is_zone(data.time_zone) else "unknown_zone",
        "step_minutes": None if is_step(data.step_minutes) else "unknown_step",
        "min_minutes": None if 0 < data.min_minutes <= data.max_minutes else "min_over_max",
        "max_minutes": None if data.max_minutes <= longest_hours * 60 else "too_long",
        "horizon_days": _within(data.horizon_days, 1, 3650),
        "calendar_mode": None if _is_calendar(data) else "unknown_calendar",
        "hours": "hours_overlap" if opening.overlapping_hours(data.hours) else None,
        "units": None if data.parts else _within(data.units, 1, MOST_UNITS),
        "parts": _wrong_list(data.parts),
        "buffer_before": _within(data.buffer_before, 0, LONGEST_BUFFER),
        "buffer_after": _within(data.buffer_after, 0, LONGEST_BUFFER),
        "holidays": None if data.holidays in ("", *holidays.countries()) else "unknown_choice",
    }
    found = {field: code for field, code in wrong.items() if code}
    found = dict.fromkeys(_off_grid(data), "off_grid") | found | dict(_wrong_special(data))
    found |= dict(_wrong_attributes(data.attributes))
    if found:
        raise InvalidInput(found)


def _is_calendar(data: ResourceData) -> bool:
    """Whether it is said in full which calendar is meant: of a group its number and the section, of the company's the
    section, of others nothing."""
    named = (data.calendar_owner is not None, data.calendar_section is not None)
    wanted = {"default": (False, False), "none": (False, False), "company": (False, True), "group": (True, True)}
    return wanted.get(data.calendar_mode) == named


def _length(value: str, low: int, high: int) -> str | None:
    if len(value.strip()) < low:
        return "required"
    return "too_many_characters" if len(value) > high else None


def _within(value: int, low: int, high: int) -> str | None:
    return None if low <= value <= high else "out_of_range"


def _wrong_list(parts: tuple[int, ...]) -> str | None:
    if len(parts) != len(set(parts)):
        return "part_twice"
    return "too_many" if len(parts) > MOST_PARTS else None


def _off_grid(data: ResourceData) -> list[str]:
    """Which bounds of the length no booking could have; a fixed length need not be a number of steps."""
    if not is_step(data.step_minutes) or data.min_minutes == data.max_minutes:
        return []
    return [field for field in ("min_minutes", "max_minutes") if getattr(data, field) % data.step_minutes]


def _wrong_special(data: ResourceData) -> Iterator[tuple[str, str]]:
    if len(data.special) > MOST_SPECIAL_DAYS:
        yield "special", "too_many"
        return
    zone = ZoneInfo(data.time_zone if opening.is_zone(data.time_zone) else "UTC")
    seen: set[date] = set()
    for number, special in enumerate(data.special):
        if special.day in seen:
            yield f"special-{number}-day", "date_twice"
        elif not FIRST_YEAR <= special.day.year <= LAST_YEAR:
            yield f"special-{number}-day", "out_of_range"
        elif code := opening.wrong_special(special.day, special.stretches, zone):
            yield f"special-{number}-hours", code
        seen.add(special.day)


def _wrong_attributes(attributes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if len(attributes) > MOST_ATTRIBUTES:
        yield "attributes", "too_many"
        return
    for number, (name, text) in enumerate(attributes.items()):
        if code := _length(name, 1, LONGEST_ATTRIBUTE[0]):
            yield f"attributes-{number}-name", code
        elif code := _length(text, 1, LONGEST_ATTRIBUTE[1]):
            yield f"attributes-{number}-text", code


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
    """The resource, added or changed, with its units or parts, hours and service.

    Raises InvalidInput, NotAllowed, NotFound, Stale. Whatever would let a booking that somebody has today hold less
    than all of what was booked is refused: as `in_use`, at the field that says it.
    """
    check(data, longest_hours)
    held = _hold(tx, portal, resource_id, data.parts)
    resource = _loaded(held, portal, resource_id, revision, viewer)
    wrong = wrong_choices(tx, portal, data)
    if not kinds.is_known(tx, portal, data.kind):
        wrong["kind"] = "unknown_kind"
    if wrong:
        raise InvalidInput(wrong)
    _check_places(tx, resource, data, held, viewer, now)
    before = data_of(tx, resource) if resource.id else None
    target = refs.target_of(resource) if resource.id else None
    resource.kind, resource.name = data.kind, data.name.strip()
    resource.city, resource.address = data.city.strip(), data.address.strip()
    resource.capacity, resource.time_zone = data.capacity, data.time_zone
    resource.step_minutes, resource.calendar_mode = data.step_minutes, data.calendar_mode
    resource.calendar_owner, resource.calendar_section = data.calendar_owner, data.calendar_section
    resource.buffer_before, resource.buffer_after = data.buffer_before, data.buffer_after
    resource.holidays, resource.is_composite = data.holidays, bool(data.parts)
    resource.attributes = {name.strip(): text.strip() for name, text in data.attributes.items()}
    resource.portal_user_id = data.portal_user_id if data.kind == "specialist" else None
    if sort is not None or resource.id is None:
        resource.sort = next_sort(tx, portal.id) if sort is None else sort
    tx.add(resource)
    tx.flush()
    _save_places(tx, resource, data, held, now)
    _save_times(tx, resource, data)
    tx.flush()
    after = data if before is None else data_of(tx, resource)
    changes.record(tx, portal, viewer.actor, "resource", resource.id, resource.name, None, before, after, now)
    if target not in (None, refs.target_of(resource)):
        refs.change_calendar(tx, portal, resource.id, now)
    refs.touch_resource(tx, portal, resource.id, now)
    return resource


def _save_places(tx: Tx, resource: Resource, data: ResourceData, held: _Held, now: datetime) -> None:
    if data.parts != held.composition.of(resource.id):
        facilities.replace_parts(tx, resource.portal_id, resource.id, data.parts)
    facilities.set_units(tx, resource.portal_id, resource.id, _units(data), now)


def _save_times(tx: Tx, resource: Resource, data: ResourceData) -> None:
    special = {one.day: tuple(opening.Stretch(*stretch) for stretch in one.stretches) for one in data.special}
    facilities.replace_hours(tx, resource.portal_id, resource.id, data.hours)
    facilities.replace_special_hours(tx, resource.portal_id, resource.id, special)
    facilities.save_bare_service(
        tx,
        resource.portal_id,
        resource.id,
        name=resource.name,
        min_minutes=data.min_minutes,
        max_minutes=data.max_minutes,
        horizon_days=data.horizon_days,
        policy_id=data.policy_id,
        tariff_id=data.tariff_id,
    )
    facilities.remember_longest(tx, resource.portal_id)


def _units(data: ResourceData) -> int:
    return 0 if data.parts else data.units


@dataclass(frozen=True, slots=True)
class _Held:
    """Resources that are locked until the transaction ends, and how the portal's are put together."""

    rows: dict[int, Resource]
    composition: Composition


def _hold(tx: Tx, portal: Portal, resource_id: int | None, parts: Collection[int] = ()) -> _Held:
    """Locks the resource and all that it is made of and is going to be, so that no booking sees it half changed.

    Raises Stale when something in there was put together anew just before: what is needed can no longer be locked in
    the order that everyone keeps.
    """
    own = set() if resource_id is None else {resource_id}
    roots = own | facilities.known_resources(tx, portal.id, parts)
    rows = occupancy.lock(tx, portal.id, roots | facilities.composition(tx, portal.id).below(*roots))
    composition = facilities.composition(tx, portal.id)
    if not composition.below(*roots) <= set(rows):
        raise Stale(rows[resource_id].revision if resource_id is not None else 0)
    return _Held(rows, composition)


def _loaded(held: _Held, portal: Portal, resource_id: int | None, revision: int | None, viewer: Viewer) -> Resource:
    if resource_id is None:
        if not viewer.is_admin:
            raise NotAllowed("manage")
        return Resource(portal_id=portal.id)
    resource = held.rows[resource_id]
    if not viewer.may("busy", resource):
        raise NotFound("resource")
    if not viewer.may("manage", resource):
        raise NotAllowed("manage")
    if revision is not None and resource.revision != revision:
        raise Stale(resource.revision)
    resource.revision += 1
    return resource


def _check_places(tx: Tx, resource: Resource, data: ResourceData, held: _Held, viewer: Viewer, now: datetime) -> None:
    """Raises InvalidInput at `parts` or `units`."""
    if code := _wrong_parts(resource, data, held, viewer):
        raise InvalidInput({"parts": code})
    if resource.id is not None and (field := _in_use(tx, resource, data, held, now)):
        raise InvalidInput({field: "in_use"})


def _wrong_parts(resource: Resource, data: ResourceData, held: _Held, viewer: Viewer) -> str | None:
    if not all(part in held.rows and viewer.may("manage", held.rows[part]) for part in data.parts):
        return "unknown_resource"
    if resource.id in {*data.parts, *held.composition.below(*data.parts)}:
        return "part_of_itself"
    return "archived_part" if any(held.rows[part].archived_at for part in data.parts) else None


def _in_use(tx: Tx, resource: Resource, data: ResourceData, held: _Held, now: datetime) -> str | None:
    """The field whose change would take units from bookings ahead, or add some to what was booked as a whole."""
    portal_id, above = resource.portal_id, held.composition.above(resource.id)
    if set(data.parts) != set(held.composition.of(resource.id)):
        return "parts" if facilities.bookings_ahead(tx, portal_id, {resource.id} | above, now) else None
    offered, wanted = facilities.units(tx, portal_id, [resource.id]).get(resource.id, 0), _units(data)
    if wanted < offered and facilities.bookings_ahead_on_units(tx, portal_id, resource.id, wanted, now):
        return "units"
    return "units" if wanted > offered and facilities.bookings_ahead(tx, portal_id, above, now) else None


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
    """The resource, no longer offered (or offered again); bookings that stand on it stay.

    A part of something that is offered cannot be archived, nor can a whole be offered while a part of it is not:
    InvalidInput at `parts`.
    """
    held = _hold(tx, portal, resource_id)
    resource = _loaded(held, portal, resource_id, revision, viewer)
    if archived and facilities.offered_above(tx, portal.id, resource_id):
        raise InvalidInput({"parts": "part_of_offered"})
    if not archived and any(held.rows[part].archived_at for part in held.composition.of(resource_id)):
        raise InvalidInput({"parts": "archived_part"})
    was, resource.archived_at = resource.archived_at is not None, now if archived else None
    tx.flush()
    changes.record(
        tx, portal, viewer.actor, "resource", resource.id, resource.name, "archived" if archived else "restored",
        {"archived": was}, {"archived": archived}, now,
    )  # fmt: skip
    refs.touch_resource(tx, portal, resource.id, now)
    return resource


def data_of(tx: Tx, resource: Resource) -> ResourceData:
    """Everything about a resource as it is set now."""
    found = data_of_all(tx, resource.portal_id, [resource])
    if resource.id not in found:
        raise NotFound("resource")
    return found[resource.id]


def data_of_all(tx: Tx, portal_id: int, resources: Collection[Resource]) -> dict[int, ResourceData]:
    """The same of several, in a handful of statements."""
    ids = [one.id for one in resources]
    bare, special = configured.bare_services(tx, portal_id, ids), configured.special_hours(tx, portal_id, ids)
    hours, units = queries.hours(tx, portal_id, ids), facilities.units(tx, portal_id, ids)
    composition = facilities.composition(tx, portal_id)
    return {
        one.id: ResourceData(
            **{name: getattr(one, name) for name in _NAMES if hasattr(one, name)},
            **{name: getattr(bare[one.id], name) for name in OF_THE_SERVICE},
            hours=hours.get(one.id, ()),
            units=units.get(one.id, 1),
            parts=composition.of(one.id),
            special=tuple(
                SpecialDay(day, tuple((stretch.opens, stretch.closes) for stretch in of))
                for day, of in special.get(one.id, {}).items()
            ),
        )
        for one in resources
        if one.id in bare
    }
