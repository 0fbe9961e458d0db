"""Beside the week of one resource: what it is, how this week goes, where something longer is still free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flask_babel import gettext, ngettext

from b24app import texts
from b24app.ledger import load
from b24app.ledger.load import About, Line
from b24app.ledger.queries import parse_week
from b24app.ledger.spread import BoardResource
from b24app.scheduling.pricing import Tariff
from b24app.web.ask import Ask
from b24app.web.opening import Spans
from b24app.web.period import Period
from b24app.web.resources_page import week_text
from b24app.web.share import Share

WANTED = 120  # minutes that are looked for, where bookings of that length are possible
MOST_OFFERS = 3
NOTHING = Decimal(0)
Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Offer:
    """Free time: a button that opens the form at its beginning. Epoch seconds."""

    words: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Side:
    """What templates/board/_week_side.html shows. `offers` and `wanted` only where he may book."""

    resource: BoardResource
    place: str
    facts: Facts
    share: Share
    load: str
    week: Facts
    offers: list[Offer]
    wanted: str
    bookable: bool


def side(ask: Ask, resource: BoardResource, week: Period, share: Share, lines: Iterable[Line], free: Spans) -> Side:
    """The card of `resource`; `free` is what is free of it in that week."""
    about = load.about(ask.tx, ask.tenant.portal.id, resource.id) or About("", 0, 0, WANTED, WANTED, 0, None)
    bookable = ask.writable and ask.shown.may("request", resource.id)
    minutes = min(max(WANTED, about.shortest), max(about.longest, about.shortest))
    return Side(
        resource=resource,
        place=", ".join(filter(None, (resource.city, about.address))),
        facts=_facts(ask, resource, about),
        share=share,
        load=_load(ask.language, share),
        week=_week(ask, resource, [*lines]) if ask.shown.may("see", resource.id) else [],
        offers=_offers(ask, week, free, minutes, about, resource.step_minutes) if bookable else [],
        wanted=texts.duration(ask.language, minutes),
        bookable=bookable,
    )


def _facts(ask: Ask, resource: BoardResource, about: About) -> Facts:
    language = ask.language
    people = ngettext("%(num)d person", "%(num)d people", resource.capacity) if resource.capacity > 1 else ""
    pieces = texts.say(language, "pieces", count=len(resource.units)) if resource.units else ""
    said = [
        (gettext("Capacity"), people),
        (gettext("Quantity"), pieces),
        (gettext("Price"), priced(language, about.tariff, ask.tenant.portal.currency)),
        (gettext("Open hours"), _hours(language, resource)),
        (gettext("Buffer before"), texts.duration(language, about.buffer_before) if about.buffer_before else ""),
        (gettext("Buffer after"), texts.duration(language, about.buffer_after) if about.buffer_after else ""),
    ]
    return [(name, words) for name, words in said if words]


def priced(language: str, tariff: Tariff | None, currency: str) -> str:
    """«2 400 ₽ за час»; "" for what costs nothing."""
    if tariff is None:
        return ""
    basis = texts.say(language, f"basis.{tariff.basis}")
    return basis if tariff.price is None else f"{texts.money(language, tariff.price, currency)} {basis}"


def _hours(language: str, resource: BoardResource) -> str:
    """Each group of days on a line of its own, which does not wrap."""
    week = parse_week(resource.week or "")
    said = week_text(language, week) if week or not resource.parts else ""
    return said.replace(", ", "\n").replace(" ", "\N{NO-BREAK SPACE}").replace("–", "–\N{WORD JOINER}")


def _load(language: str, share: Share) -> str:
    if not share.working:
        return gettext("closed all week")
    taken, working = (_duration(language, seconds) for seconds in (min(share.taken, share.working), share.working))
    return gettext("taken %(taken)s of %(working)s", taken=taken, working=working)


def _duration(language: str, seconds: int) -> str:
    return texts.duration(language, seconds // 60)


def _week(ask: Ask, resource: BoardResource, lines: Sequence[Line]) -> Facts:
    language, currency = ask.language, ask.tenant.portal.currency
    held = [one for one in lines if one.stage == "prebooked" and not one.competes]
    facts = [
        (gettext("Bookings"), sum(one.stage in ("confirmed", "completed") for one in lines)),
        (gettext("Pre-bookings"), len(held)),
        (gettext("Requests"), sum(one.competes for one in lines)),
        (gettext("No-shows"), sum(one.stage == "no_show" for one in lines)),
    ]
    counts = [(name, str(count)) for name, count in facts if count]
    if not ask.shown.may("manage", resource.id):  # whose business the money is: he also takes it
        return counts
    paid = sum((one.net for one in lines), NOTHING)
    due = sum((one.price - one.net for one in lines if _awaits_payment(one)), NOTHING)
    sums = [(gettext("Revenue"), paid), (gettext("Awaiting payment"), due)]
    return [*((name, texts.money(language, amount, currency)) for name, amount in sums if amount), *counts]


def _awaits_payment(line: Line) -> bool:
    return line.payment in ("due", "partly") and not line.competes and line.price > line.net


def _offers(ask: Ask, week: Period, free: Spans, minutes: int, about: About, step: int) -> list[Offer]:
    """The first stretches of at least so many minutes, from now on and no further than may be booked."""
    now, horizon = int(ask.at.timestamp()), int((ask.at + timedelta(days=about.horizon_days or 365)).timestamp())
    found: list[Offer] = []
    for start, end in ((max(start, now), min(end, week.bounds[-1])) for start, end in free):
        first = _on_step(start, step, week)
        if end - first >= minutes * 60 and first <= horizon and len(found) < MOST_OFFERS:
            found.append(Offer(_when(ask, first, end, week), first, first + minutes * 60))
    return found


def _on_step(instant: int, step: int, week: Period) -> int:
    """The first instant from then on at which the clock shows a whole step."""
    offset = datetime.fromtimestamp(instant, UTC).astimezone(week.zone).utcoffset() or timedelta()
    local = instant + int(offset.total_seconds())
    return instant + -local % (step * 60)


def _when(ask: Ask, start: int, end: int, week: Period) -> str:
    """«Чт, 13:15–15:45»."""
    first, last = datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)
    day = texts.weekday(ask.language, first.astimezone(week.zone).date())
    return f"{day}, {texts.span(first, last, week.zone)}"
