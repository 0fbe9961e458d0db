"""What the portal is to show of a booking and of a resource. Pure: rows in, REST fields out.

Text of people goes through unchanged, whatever is in it; `bitrix.client` sends it so that nothing of it is executed.
Items: https://apidocs.bitrix24.com/api-reference/crm/universal/crm-item-add.html
Events: https://apidocs.bitrix24.com/api-reference/calendar/calendar-event/calendar-event-add.html
"""

from __future__ import annotations

import hashlib
import html
import itertools
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.ledger import refs
from b24app.ledger.models import Booking, Client, Resource
from b24app.ledger.portal_settings import PortalSettings
from b24app.ledger.queries import BookingRow, Sums
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours
from b24app.scheduling.stage import Payment, Stage
from b24app.sync.laid import LaidCrm, LaidType

SHOWN_IN_CALENDAR = frozenset({Stage.PREBOOKED, Stage.CONFIRMED, Stage.COMPLETED, Stage.NO_SHOW})
COMPANY, GROUP, OWN = "company", "group", "user"
DEAL = 2
FREE = Sums(Decimal(0), Decimal(0), Decimal(0))
A_MONDAY = date(2024, 1, 1)
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pictures of one portal go, in which language and currency they speak. `origin`: https://portal."""

    language: str
    origin: str
    crm: LaidCrm | None = None
    currency: str = "RUB"
    settings: PortalSettings = field(default_factory=PortalSettings)


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
    place: Place, row: BookingRow, resource_items: Mapping[int, int], *, new: bool, sums: Sums = FREE
) -> Fields:
    """The fields of a booking's item. Title and responsible are the portal's once it is there (`new` is False)."""
    crm, booking, zone = _laid(place), row.booking, _zone(row.resources)
    laid, resources_id = crm.need("bookings"), crm.need("resources").entity_type_id
    shown = [resource_items[one.id] for one in row.resources if one.id in resource_items]
    fields = {
        "xmlId": booking_mark(booking.id),
        "categoryId": crm.category_id,
        "stageId": crm.stages[stage_key(booking)],
        "opportunity": _amount(sums.price),
        "isManualOpportunity": "Y",
        **({"currencyId": place.currency} if sums.price else {}),
        f"parentId{DEAL}": booking.deal_id,
        f"parentId{resources_id}": shown[0] if shown else None,
        **_client_fields(row.client),
        "observers": sorted(booking.participants or ()),
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
                **_shown_only(place, row, sums),
            },
        ),
    }
    if new:
        fields["title"] = booking.title or texts.say(place.language, "item.title", number=booking.number)
        fields["assignedById"] = booking.responsible_id
    return _known(fields)


def _shown_only(place: Place, row: BookingRow, sums: Sums) -> dict[str, Any]:
    """What the card tells of a booking and nobody changes there, in words where the ledger has codes."""
    booking = row.booking
    return {
        "service": row.service.name,
        "party": booking.party,
        "payment": texts.say(place.language, f"payment.{booking.payment}"),
        "paid": money(sums.paid - sums.refunded, place.currency),
        "source": texts.say_refusal(place.language, "source", booking.source),
        "series": booking.series_id,
    }


def money(amount: Decimal | None, currency: str) -> str:
    """A field of type money; nothing is empty, as the portal has it."""
    return f"{_amount(amount)}|{currency}" if amount else ""


def _amount(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


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


def resource_item(
    place: Place, resource: Resource, hours: Sequence[OpeningHours], *, price: Decimal | None = None
) -> Fields:
    """The fields of a resource's item. `price`: the main one of booking it by itself."""
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
                    "price": money(price, place.currency),
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


def is_own(target: str) -> bool:
    """Whether this is a person's own calendar; every other one is shared."""
    return target.partition(":")[0] == OWN


def is_company(target: str) -> bool:
    """Whether this is the company calendar, whichever section of it."""
    return target.partition(":")[0] == COMPANY


def owner_of(target: str) -> tuple[str, int]:
    """The calendar's `type` and `ownerId`. Targets are "user:5", "company", "company:17" and "group:3:17", the last
    number of which is the section."""
    kind, _, numbers = target.partition(":")
    return ("company_calendar", 0) if kind == COMPANY else (kind, int(numbers.partition(":")[0]))


def section_of(target: str) -> int | None:
    """The section that the target itself names."""
    kind, *numbers = target.split(":")
    named = numbers[1:] if kind == GROUP else numbers if kind == COMPANY else []
    return int(named[0]) if named else None


def invites_in(targets: Collection[str]) -> str | None:
    """In which of its calendars a booking invites its participants: several would invite them several times."""
    return min(targets, key=lambda target: (not is_own(target), target), default=None)


def event_mark(booking: Booking, target: str) -> str:
    """The last line of the description, by which the event is found again."""
    return f"booking:{booking.number}:{booking.id.hex[:8]}:{target}"


def booking_event(
    place: Place, row: BookingRow, target: str, section: int | None, item_id: int | None, guests: Sequence[int] = ()
) -> Fields:
    """The fields of a booking's event in one calendar, busy for nobody but the person it is with.

    A plain event; a meeting only where `guests` are invited. Without a `section` the portal takes, or makes, that
    person's first one.
    """
    kind, owner_id = owner_of(target)
    mine = _of_target(row.resources, target)
    zone, links = _zone(mine), _crm_links(place, row, target)
    return {
        "type": kind,
        "ownerId": owner_id,
        **({"section": section, "auto_detect_section": "N"} if section else {"auto_detect_section": "Y"}),
        "skip_time": "N",
        "from": row.interval.start.astimezone(zone).isoformat(),
        "to": row.interval.end.astimezone(zone).isoformat(),
        "name": _event_name(place.language, row),
        "description": _description(place, row, target, item_id),
        "accessibility": "busy" if is_own(target) and row.booking.stage != Stage.NO_SHOW else "free",
        "location": _location(mine, target),
        **({"crm_fields": links} if links else {}),
        **(_invitation(guests) if guests else {}),
    }


def words_of(fields: Mapping[str, Any]) -> dict[str, str]:
    """What tells later whether people have rewritten an event: its name, and of its text, which may name a client, no
    more than a print."""
    return {"name": str(fields["name"]), "description": _print(str(fields["description"]))}


def words_of_people(drawn: Mapping[str, Any], there: tuple[str, str], fields: Mapping[str, Any]) -> dict[str, str]:
    """Name and text that people have written instead of ours: they stay. The last line of the text is ours in any
    case, or the event would not be found again."""
    name, text = there
    theirs = {}
    if name and name != drawn.get("name", name):
        theirs["name"] = name
    if _print(text) != drawn.get("description", _print(text)):
        mark = str(fields["description"]).rpartition("\n")[2]
        theirs["description"] = text if mark in text.split("\n") else "\n".join(filter(None, (text, mark)))
    return theirs


def _print(text: str) -> str:
    """The same for what the portal may show otherwise than it was written: markup and white space aside."""
    bare = "".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())
    return hashlib.sha256(bare.encode()).hexdigest()[:16]


def _invitation(guests: Sequence[int]) -> Fields:
    quiet = {"notify": True, "reinvite": False, "allow_invite": False, "hide_guests": False}
    return {"is_meeting": "Y", "attendees": list(guests), "meeting": quiet}


def no_invitation() -> Fields:
    """What an event that was a meeting is written with when it is none any more."""
    return {"is_meeting": "N", "attendees": []}


def _of_target(resources: Sequence[Resource], target: str) -> list[Resource]:
    """The resources that put the booking into this calendar."""
    return [one for one in resources if refs.target_of(one) == target]


def _event_name(language: str, row: BookingRow) -> str:
    code = "event.name_prebooked" if row.booking.stage == Stage.PREBOOKED else "event.name"
    return texts.say(language, code, name=row.service.name, number=row.booking.number)


def _names_client(place: Place, target: str) -> bool:
    """Whether whoever looks into this calendar may read whose visit it is, as the company has decided."""
    return place.settings.client_in_own if is_own(target) else place.settings.client_in_shared


def _description(place: Place, row: BookingRow, target: str, item_id: int | None) -> str:
    """The client, and in the calendar of the person it is with also what was written about the visit."""
    client = _client_lines(place.language, row.client) if _names_client(place, target) else []
    own = [row.booking.title, row.booking.notes] if is_own(target) else []
    url = card_url(place, row.booking, item_id)
    link = texts.say(place.language, "event.link", url=url) if url else ""
    return "\n".join(line for line in [*client, *own, link, event_mark(row.booking, target)] if line)


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
    parts = [(one.city, one.address, "" if is_own(target) else one.name) for one in resources[:1]]
    return ", ".join(part for row in parts for part in row if part)


def _crm_links(place: Place, row: BookingRow, target: str) -> list[str]:
    """Links to CRM cards; the client's own only where his name may be read as well."""
    links = [f"D_{row.booking.deal_id}"] if row.booking.deal_id else []
    if _names_client(place, target) and row.client is not None and row.client.crm_id is not None:
        links.append(f"{'C' if row.client.kind == 'contact' else 'CO'}_{row.client.crm_id}")
    return links


def _zone(resources: Sequence[Resource]) -> ZoneInfo:
    return ZoneInfo(resources[0].time_zone if resources else "UTC")
