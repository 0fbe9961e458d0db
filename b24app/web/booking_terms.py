"""What a form tells before anything is decided: price, rules, what would come of it, and why it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import ngettext

from b24app import texts
from b24app.booking.reserve import Opening
from b24app.booking.terms import MoveTerms, Terms
from b24app.ledger.access import Viewer
from b24app.ledger.catalog import Fact
from b24app.scheduling.allocation import Obstacle, Seat
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Violation
from b24app.scheduling.pricing import Quote
from b24app.scheduling.stage import Stage
from b24app.web.errors import Problem, broken_rule
from b24app.web.prices import PriceLine, lines_in_words

Named = Callable[[int | None], str]


@dataclass(frozen=True, slots=True)
class Got:
    """A resource that would be had, and how many of its equal places."""

    kind: str
    name: str
    count: int

    @property
    def initials(self) -> str:
        """What stands in the round picture of a specialist; things have an icon."""
        if self.kind != "specialist":
            return ""
        return "".join(part[0] for part in self.name.split()[:2] if part[0].isalpha())


@dataclass(frozen=True, slots=True)
class Button:
    """A way to send the form: `intent` is what `booking.reserve.BookingRequest` calls it."""

    intent: str
    words: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """A price in words; `deposit` is "" where all or nothing is asked for in advance."""

    lines: list[PriceLine]
    total: str
    deposit: str
    deposit_share: str


@dataclass(frozen=True, slots=True)
class TermsView:
    """What templates/bookings/_terms.html shows. `reasons`: why this cannot be booked; then `outcome` is ""."""

    when: str = ""
    got: list[Got] = field(default_factory=list)
    price: Price | None = None
    rules: list[str] = field(default_factory=list)
    free_until: str = ""
    outcome: str = ""
    look: str = "conf"
    rivals: str = ""
    reasons: list[Problem] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MoveView:
    """What templates/bookings/_move_terms.html shows; sums that do not change are "".

    `together`: of how many bookings of a series they are the sums.
    """

    when: str = ""
    changes: bool = False
    got: list[Got] = field(default_factory=list)
    before: str = ""
    after: str = ""
    fee: str = ""
    difference: str = ""
    outstanding: str = ""
    owed_back: str = ""
    rules: list[str] = field(default_factory=list)
    reasons: list[Problem] = field(default_factory=list)
    together: int = 1


def view(terms: Terms, wanted: Interval, viewer: Viewer, language: str, *, repeated: bool, now: datetime) -> TermsView:
    """Terms in words. `repeated`: they are those of the first date of a series."""
    zone, facts = terms.zone, {fact.id: fact for need in terms.options for fact in need}
    reasons = _reasons(language, terms.violations, terms.obstacles, zone, _names(facts.values()))
    outcome, look = _outcome(language, terms.opening, terms.policy.winner, zone) if terms.opening else ("", "conf")
    needs_approval = bool(terms.opening and terms.opening.needs_approval)
    return TermsView(
        when=texts.period(language, wanted.start, wanted.end, zone),
        got=got(terms.seats, facts.values()),
        price=price(language, terms.quote, zone, terms.offering.name, _deposit_percent(terms)),
        rules=texts.policy_words(
            language, terms.policy.as_dict(), priced=_is_priced(terms.quote), needs_approval=needs_approval
        ),
        free_until=_free_until(terms, wanted, language, now) if _is_priced(terms.quote) else "",
        outcome="" if reasons else outcome,
        look=look,
        rivals=_rivals(terms, facts.values(), viewer),
        reasons=reasons,
        buttons=series_buttons(terms.opening) if repeated else buttons(terms),
    )


def _free_until(terms: Terms, wanted: Interval, language: str, now: datetime) -> str:
    """Until when cancelling would cost nothing; "" where it always or never does."""
    hours = [rung.hours for rung in terms.policy.cancel_ladder if rung.percent]
    if not hours:
        return ""
    until = wanted.start - timedelta(hours=max(hours))
    return moment(language, until, terms.zone) if until > now else ""


def _names(facts: Iterable[Fact]) -> Named:
    known = {fact.id: fact.name for fact in facts}
    return lambda resource_id: known.get(resource_id or 0, "") if len(known) > 1 else ""


def _reasons(
    language: str, violations: Sequence[Violation], obstacles: Iterable[Obstacle], zone: ZoneInfo, named: Named
) -> list[Problem]:
    """Each reason once: a step may be missed at the start and at the end."""
    if any(broken.code in ("outside_hours", "specialist_busy") for broken in violations):
        obstacles = [one for one in obstacles if one.code != "closed"]  # told as a rule, with where it is set
    found = [broken_rule(language, broken) for broken in violations]
    found += obstacle_problems(language, obstacles, zone, named)
    return list({one.text: one for one in reversed(found)}.values())[::-1]


def obstacle_problems(language: str, obstacles: Iterable[Obstacle], zone: ZoneInfo, named: Named) -> Iterable[Problem]:
    """Why a time cannot be had, each reason once."""
    said = (texts.say_obstacle(language, one.code, one.params, zone, named(one.resource_id)) for one in obstacles)
    return [Problem("start", words) for words in dict.fromkeys(said)]


def got(seats: Sequence[Seat], facts: Iterable[Fact]) -> list[Got]:
    """What would be had; a composite counts once, of a pool each place."""
    by_id = {fact.id: fact for fact in facts}
    ids = dict.fromkeys(seat.resource_id for seat in seats if seat.resource_id in by_id)
    return [Got(by_id[one].kind, by_id[one].name, _count(by_id[one], seats)) for one in ids]


def _count(fact: Fact, seats: Sequence[Seat]) -> int:
    return 1 if fact.is_composite else sum(seat.resource_id == fact.id for seat in seats)


def _is_priced(quote: Quote | None) -> bool:
    return quote is not None and quote.total > 0


def price(language: str, quote: Quote | None, zone: ZoneInfo, name: str, deposit_percent: int) -> Price | None:
    """A quote in words; None where nothing is charged."""
    if quote is None:
        return None
    is_part = 0 < quote.deposit < quote.total
    return Price(
        lines=lines_in_words(language, quote.lines, zone, quote.currency, name),
        total=texts.money(language, quote.total, quote.currency),
        deposit=texts.money(language, quote.deposit, quote.currency) if is_part else "",
        deposit_share=texts.percent(language, deposit_percent),
    )


def _deposit_percent(terms: Terms) -> int:
    return terms.offering.tariff.deposit_percent if terms.offering.tariff else 0


def _outcome(language: str, opening: Opening, winner: str, zone: ZoneInfo) -> tuple[str, str]:
    """What it becomes, and how that looks."""
    if opening.stage == Stage.CONFIRMED or opening.held_until is None:
        return _("Will be confirmed at once"), "conf"
    until = moment(language, opening.held_until, zone)
    if opening.needs_approval:
        return _("Needs an approval; the time is held until %(until)s", until=until), "hold"
    if not opening.competes:
        return _("Pre-booking until %(until)s", until=until), "hold"
    if winner == "payment":
        return _("A request: it waits for the payment until %(until)s and holds no time", until=until), "req"
    return _("A request: it waits for a decision until %(until)s and holds no time", until=until), "req"


def moment(language: str, at: datetime, zone: ZoneInfo) -> str:
    """A day and an hour inside of a sentence: «13 марта, 18:00»."""
    local = at.astimezone(zone)
    return f"{local.day}\N{NO-BREAK SPACE}{texts.month(language, local.date())}, {texts.clock(at, zone)}"


def _rivals(terms: Terms, facts: Iterable[Fact], viewer: Viewer) -> str:
    """How many requests there are for that time, told to those who may see them."""
    if not terms.rivals or not all(viewer.may("see", fact) for fact in facts):
        return ""
    return ngettext("%(num)d request competes for this time", "%(num)d requests compete for this time", terms.rivals)


def buttons(terms: Terms) -> list[Button]:
    """What the form may be sent as; the first is what the rules make of it."""
    opening = terms.opening
    if opening is None or opening.stage == Stage.CONFIRMED:
        hold = [Button("hold", _("Pre-book"), "hold")]
        return [Button("policy", _("Book")), *hold]
    first = _("Send the request") if opening.competes or opening.needs_approval else _("Pre-book")
    payment_first = terms.policy.winner == "payment" and terms.quote is not None and terms.quote.deposit > 0
    at_once = [Button("confirm", _("Book at once"))] if terms.may_confirm and not payment_first else []
    return [Button("policy", first), *at_once]


def plain_buttons() -> list[Button]:
    """What stands there as long as it is not known what would come of it."""
    return [Button("policy", _("Book"))]


def series_buttons(opening: Opening | None) -> list[Button]:
    """The same for a series: all its dates become what the first does."""
    if opening is None or opening.stage == Stage.CONFIRMED:
        return [Button("policy", _("Book the ticked dates"))]
    if opening.competes or opening.needs_approval:
        return [Button("policy", _("Send the requests"))]
    return [Button("policy", _("Pre-book the ticked dates"))]


def move_view(terms: MoveTerms, wanted: Interval, language: str, currency: str, together: int = 1) -> MoveView:
    """What a move comes to, in words; the sums of `terms` are those of so many bookings `together`."""
    sums, zone = terms.outcome, terms.zone

    def said(amount: Decimal) -> str:
        return texts.money(language, amount, currency) if amount else ""

    difference = sums.new - sums.price
    return MoveView(
        when=texts.period(language, wanted.start, wanted.end, zone),
        changes=terms.changes,
        got=got(terms.seats, terms.facts),
        before=texts.money(language, sums.price, currency) if sums.price or sums.new else "",
        after=texts.money(language, sums.new, currency),
        fee=said(sums.fee),
        difference=("+" if difference > 0 else "") + said(difference),
        outstanding=said(sums.outstanding) if terms.changes else "",
        owed_back=said(sums.owed_back) if terms.changes else "",
        rules=texts.policy_words(language, terms.policy.as_dict(), priced=bool(sums.price)),
        reasons=_reasons(language, terms.violations, terms.obstacles, zone, _names(terms.facts)),
        together=together,
    )
