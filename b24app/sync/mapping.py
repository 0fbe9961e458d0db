"""What the portal is to show of a booking and of a resource. Pure: rows in, REST fields out.

Text of people goes through unchanged, whatever is in it; `bitrix.client` sends it so that nothing of it is executed.
Items: https://apidocs.bitrix24.com/api-reference/crm/universal/crm-item-add.html
Events: https://apidocs.bitrix24.com/api-reference/calendar/calendar-event/calendar-event-add.html
"""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.ledger.models import Booking, Client, Resource
from b24app.ledger.queries import BookingRow
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours
from b24app.scheduling.stage import Payment, Stage
from b24app.sync.laid import LaidCrm, LaidType

SHOWN_IN_CALENDAR = frozenset({Stage.PREBOOKED, Stage.CONFIRMED, Stage.COMPLETED, Stage.NO_SHOW})
COMPANY = "company"
DEAL = 2
FREE = Decimal(0)
A_MONDAY = date(2024, 1, 1)
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pictures of one portal go, in which language and currency they speak. `origin`: https://portal."""

    language: str
    origin: str
    crm: LaidCrm | None = None
    currency: str = "RUB"


# Items


def booking_mark(booking_id: uuid.UUID) -> str:
    """The item's `xmlId`, by which it is found again."""
    return str(booking_id)


def resource_mark(resource_id: int) -> str:
    """The item's `xmlId`, by which it is found again."""
    return f"r:{resource_id}"


def stage_key(booking: Booking) -> str:
    """The funnel's stage: "paid" is a state of the payment with us and a stage there."""
    return "paid" if (booking.stage, booking.payment) == (Stage.CONFIRMED, Payment.PAID) else booking.stage


def booking_item(
    place: Place, row: BookingRow, resource_items: Mapping[int, int], *, new: bool, price: Decimal = FREE
) -> Fields:
    """The fields of a booking's item. Title and responsible are the portal's once it is there (`new` is False)."""
    crm, booking, zone = _laid(place), row.booking, _zone(row.resources)
    laid, resources_id = crm.need("bookings"), crm.need("resources").entity_type_id
    shown = [resource_items[one.id] for one in row.resources if one.id in resource_items]
    fields = {
        "xmlId": booking_mark(booking.id),
        "categoryId": crm.category_id,
        "stageId": crm.stages[stage_key(booking)],
        "opportunity": f"{price.normalize():f}",
        "isManualOpportunity": "Y",
        **({"currencyId": place.currency} if price else {}),
        f"parentId{DEAL}": booking.deal_id,
        f"parentId{resources_id}": shown[0] if shown else None,
        **_client_fields(row.client),
        **_named(
            laid,
            {
                "number": booking.number,
                "start_at": row.interval.start.astimezone(zone).isoformat(),
                "end_at": row.interval.end.astimezone(zone).isoformat(),
                "start_ts": int(row.interval.start.timestamp()),
                "end_ts": int(row.interval.end.timestamp()),
                "resource": [binding(resources_id, item_id) for item_id in shown],
                "time_zone": zone.key,
                "notes": booking.notes,
            },
        ),
    }
    if new:
        fields["title"] = booking.title or texts.say(place.language, "item.title", number=booking.number)
        fields["assignedById"] = booking.responsible_id
    return _known(fields)


def _laid(place: Place) -> LaidCrm:
    assert place.crm is not None, "items are drawn in portals of Level B only"
    return place.crm


def binding(entity_type_id: int, item_id: int) -> str:
    """An item as CRM binding fields name it: `T9c_29` is item 29 of type 156."""
    return f"T{entity_type_id:x}_{item_id}"


def _client_fields(client: Client | None) -> Fields:
    if client is None or client.crm_id is None:
        return {}
    return {"contactIds": [client.crm_id]} if client.kind == "contact" else {"companyId": client.crm_id}


def resource_item(place: Place, resource: Resource, hours: Sequence[OpeningHours]) -> Fields:
    """The fields of a resource's item."""
    laid = _laid(place).need("resources")
    return _known(
        {
            "xmlId": resource_mark(resource.id),
            "title": resource.name,
            **_named(
                laid,
                {
                    "kind": laid.options.get("kind", {}).get(resource.kind),
                    "capacity": resource.capacity,
                    "city": resource.city,
                    "address": resource.address,
                    "hours": hours_text(place.language, hours),
                    "time_zone": resource.time_zone,
                    "step": resource.step_minutes,
                    "active": "Y" if resource.archived_at is None else "N",
                    "employee": resource.portal_user_id,
                },
            ),
        }
    )


def hours_text(language: str, hours: Sequence[OpeningHours]) -> str:
    """The weekly hours for people to read: «Пн–Пт 9:00–18:00; Сб 10:00–14:00»."""
    by_day = {day: ", ".join(_open_text(one) for one in hours if one.weekday == day) for day in range(7)}
    runs = [(text, list(days)) for text, days in itertools.groupby(range(7), key=by_day.__getitem__)]
    return "; ".join(f"{_days_text(language, days[0], days[-1])} {text}" for text, days in runs if text)


def _open_text(one: OpeningHours) -> str:
    closes = one.closes if one.closes <= DAY_MINUTES else one.closes - DAY_MINUTES
    return f"{one.opens // 60}:{one.opens % 60:02}–{closes // 60}:{closes % 60:02}"


def _days_text(language: str, first: int, last: int) -> str:
    names = [texts.weekday(language, A_MONDAY + timedelta(days=day)) for day in (first, last)]
    return names[0] if first == last else "–".join(names)


def _named(laid: LaidType, values: Mapping[str, Any]) -> Fields:
    """By the names of this portal; a field that it does not have is not written."""
    return {laid.fields[key]: value for key, value in values.items() if key in laid.fields}


def _known(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


# Events


def is_wanted(booking: Booking, target: str, targets: Collection[str]) -> bool:
    """Whether this booking belongs into the calendar `target`; `targets` are those of what it is on.

    A request that competes for a time holds nothing, so no calendar shows it.
    """
    return booking.stage in SHOWN_IN_CALENDAR and not booking.competes and target in targets


def owner_of(target: str) -> tuple[str, int]:
    """The calendar's `type` and `ownerId`."""
    return ("company_calendar", 0) if target == COMPANY else ("user", int(target.removeprefix("user:")))


def event_mark(booking: Booking, target: str) -> str:
    """The last line of the description, by which the event is found again."""
    return f"booking:{booking.number}:{booking.id.hex[:8]}:{target}"


def booking_event(place: Place, row: BookingRow, target: str, section: int | None, item_id: int | None) -> Fields:
    """The fields of a booking's event in one calendar: a plain event, busy for nobody but the person it is with.

    Without a `section` the portal takes, or makes, that person's first one.
    """
    kind, owner_id = owner_of(target)
    zone, links = _zone(_of_target(row.resources, target)), _crm_links(row, target)
    return {
        "type": kind,
        "ownerId": owner_id,
        **({"section": section, "auto_detect_section": "N"} if section else {"auto_detect_section": "Y"}),
        "skip_time": "N",
        "from": row.interval.start.astimezone(zone).isoformat(),
        "to": row.interval.end.astimezone(zone).isoformat(),
        "name": _event_name(place.language, row),
        "description": _description(place, row, target, item_id),
        "accessibility": "busy" if target != COMPANY and row.booking.stage != Stage.NO_SHOW else "free",
        "location": _location(_of_target(row.resources, target), target),
        **({"crm_fields": links} if links else {}),
    }


def _of_target(resources: Sequence[Resource], target: str) -> list[Resource]:
    """The resources that put the booking into this calendar."""
    mine = [one for one in resources if (one.portal_user_id is None) == (target == COMPANY)]
    return [one for one in mine if target in (COMPANY, f"user:{one.portal_user_id}")]


def _event_name(language: str, row: BookingRow) -> str:
    code = "event.name_prebooked" if row.booking.stage == Stage.PREBOOKED else "event.name"
    return texts.say(language, code, name=row.service.name, number=row.booking.number)


def _description(place: Place, row: BookingRow, target: str, item_id: int | None) -> str:
    """The client and what was written about the visit are for the person it is with, not for shared calendars."""
    own = [*_client_lines(place.language, row.client), row.booking.title, row.booking.notes]
    url = card_url(place, row.booking, item_id)
    link = texts.say(place.language, "event.link", url=url) if url else ""
    lines = [*([] if target == COMPANY else own), link, event_mark(row.booking, target)]
    return "\n".join(line for line in lines if line)


def _client_lines(language: str, client: Client | None) -> list[str]:
    if client is None:
        return []
    phone = [texts.say(language, "event.phone", phone=client.phone)] if client.phone else []
    return [texts.say(language, "event.client", name=client.name), *phone]


def card_url(place: Place, booking: Booking, item_id: int | None) -> str | None:
    """Where the portal shows the booking: its own card, else its deal's."""
    if item_id is not None and place.crm and place.crm.bookings:
        return f"{place.origin}/crm/type/{place.crm.bookings.entity_type_id}/details/{item_id}/"
    return f"{place.origin}/crm/deal/details/{booking.deal_id}/" if booking.deal_id else None


def _location(resources: Sequence[Resource], target: str) -> str:
    """Where the first of them is; a person is not a location."""
    parts = [(one.city, one.address, one.name if target == COMPANY else "") for one in resources[:1]]
    return ", ".join(part for row in parts for part in row if part)


def _crm_links(row: BookingRow, target: str) -> list[str]:
    """Links to CRM cards; like his name, the client's own stands in the calendar of the person he comes to only."""
    links = [f"D_{row.booking.deal_id}"] if row.booking.deal_id else []
    if target != COMPANY and row.client is not None and row.client.crm_id is not None:
        links.append(f"{'C' if row.client.kind == 'contact' else 'CO'}_{row.client.crm_id}")
    return links


def _zone(resources: Sequence[Resource]) -> ZoneInfo:
    return ZoneInfo(resources[0].time_zone if resources else "UTC")


# Fingerprints: of what the ledger owns in a picture, so that our own echo is told from somebody's edit

OWNED_IN_EVENTS = ("type", "ownerId", "section", "from", "to", "accessibility")
THEIRS_IN_ITEMS = ("title", "assignedById")


def event_fingerprint(fields: Mapping[str, Any]) -> str:
    """Covers time, calendar and busy: name, description and reminders may be changed in the portal."""
    return _digest({name: fields.get(name) for name in OWNED_IN_EVENTS})


def item_fingerprint(fields: Mapping[str, Any]) -> str:
    """Covers everything but title and responsible."""
    return _digest({name: value for name, value in fields.items() if name not in THEIRS_IN_ITEMS})


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]
