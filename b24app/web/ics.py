"""Bookings as calendar programs read them: RFC 5545 by the `icalendar` library, times in UTC.

UTC needs no VTIMEZONE and is what each program turns into its owner's clock; where a clock matters, at a door, the
place says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event

from b24app import texts
from b24app.ledger.entries import Entry, Where
from b24app.ledger.models import Portal
from b24app.sync.laid import LaidCrm
from b24app.web.sheet import called

PRODUCT = "-//Booking for Bitrix24//RU"
MIME = "text/calendar; charset=utf-8"
ASK_AGAIN = timedelta(hours=1)
STATUSES = {"prebooked": "TENTATIVE", "cancelled": "CANCELLED", "expired": "CANCELLED"}


@dataclass(frozen=True, slots=True)
class Told:
    """How a calendar tells of bookings: in which language, with clients' names or without, of which portal."""

    language: str
    origin: str
    bookings_type: int | None
    names: bool

    def url(self, entry: Entry) -> str:
        """Where the portal shows it: its own card, else its deal's; "" where it has neither."""
        if entry.item_id is not None and self.bookings_type is not None:
            return f"{self.origin}/crm/type/{self.bookings_type}/details/{entry.item_id}/"
        return f"{self.origin}/crm/deal/details/{entry.deal_id}/" if entry.deal_id else ""


def told(portal: Portal, language: str, *, names: bool) -> Told:
    """As this portal has it."""
    laid = LaidCrm.from_json(portal.crm).bookings
    return Told(language, f"https://{portal.domain}", laid.entity_type_id if laid else None, names)


def calendar(name: str, entries: Iterable[Entry], where: Mapping[int, Where], how: Told) -> bytes:
    """All of them in one file. It changes with them only, so that its hash can be its tag."""
    made = Calendar()
    for key, value in (
        ("prodid", PRODUCT),
        ("version", "2.0"),
        ("calscale", "GREGORIAN"),
        ("method", "PUBLISH"),
        ("x-wr-calname", name),
        ("x-published-ttl", "PT1H"),
    ):
        made.add(key, value)
    made.add("refresh-interval", ASK_AGAIN, parameters={"VALUE": "DURATION"})
    for entry in entries:
        made.add_component(_event(entry, [where[one] for one in entry.resource_ids if one in where], how))
    return bytes(made.to_ical())


def _event(entry: Entry, places: Sequence[Where], how: Told) -> Event:
    event = Event()
    event.add("uid", str(entry.id))
    event.add("sequence", entry.revision)
    event.add("dtstamp", entry.updated_at.astimezone(UTC))
    event.add("last-modified", entry.updated_at.astimezone(UTC))
    event.add("dtstart", _exact(entry.during.start))
    event.add("dtend", _exact(entry.during.end))
    event.add("status", STATUSES.get(entry.stage, "CONFIRMED"))
    event.add("transp", "TRANSPARENT" if entry.stage == "no_show" else "OPAQUE")
    if not entry.seen:
        event.add("summary", texts.say(how.language, "feed.taken"))
        return event
    event.add("summary", _summary(entry, places, how))
    event.add("description", _description(entry, how))
    if location := _location(places):
        event.add("location", location)
    if url := how.url(entry):
        event.add("url", url)
    return event


def _exact(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _summary(entry: Entry, places: Sequence[Where], how: Told) -> str:
    what = called(entry.named, names=how.names)[0] or ", ".join(one.name for one in places)
    code = "event.name_prebooked" if entry.stage == "prebooked" else "event.name"
    return texts.say(how.language, code, name=what, number=entry.number)


def _description(entry: Entry, how: Told) -> str:
    """What else may be told, and where to look."""
    client = [texts.say(how.language, "event.client", name=entry.named.client)] if entry.named.client else []
    url = how.url(entry)
    lines = [
        entry.named.service,
        *(client if how.names else []),
        _stage(entry, how.language),
        texts.say(how.language, "event.link", url=url) if url else "",
    ]
    return "\n".join(filter(None, lines))


def _stage(entry: Entry, language: str) -> str:
    paid = entry.stage == "confirmed" and entry.payment == "paid"
    return texts.say(language, "stage.paid" if paid else f"stage.{entry.stage}")


def _location(places: Sequence[Where]) -> str:
    """Which things, and where the first of them that has an address is; a person is not a location."""
    things = [one for one in places if one.kind != "specialist"]
    address = next((", ".join(filter(None, (one.city, one.address))) for one in things if one.address), "")
    return ", ".join(filter(None, (*(one.name for one in things), address)))
