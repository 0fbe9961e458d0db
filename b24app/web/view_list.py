"""The agenda: the same bookings as on the board, in the order of time; for screen readers, phones and "my day"."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from flask import render_template
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup

from b24app import texts
from b24app.booking.allowed import Allowed, allowed
from b24app.ledger import agenda, queries
from b24app.ledger.agenda import Entry
from b24app.ledger.queries import BookingRow
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import Payment
from b24app.web import standing
from b24app.web.ask import Ask, Drawn
from b24app.web.choice import FIRST_DAY, LAST_DAY
from b24app.web.day import When
from b24app.web.standing import LOOKS, Look, Pill

MOST_ROWS = 250  # ten elements each: a list that goes on for ever is no help, and too much for a phone
MOST_FOLDED = 60
NOON, EVENING = 12, 17
DROPPED = frozenset({"cancelled", "expired"})
OPEN = frozenset({"request", "prebooked"})
OWED = frozenset({Payment.DUE, Payment.PARTLY})
TAKES_TIME = frozenset({"prebooked", "confirmed", "paid", "completed"})


@dataclass(frozen=True, slots=True)
class Line:
    """One booking, or several requests for one time and place, or just "taken" where he may see no more (`row` None).

    `short`: the label where there is little room.
    """

    start: str
    end: str
    look: str
    words: str
    what: str
    where: str
    row: BookingRow | None = None
    short: str = ""
    owed: str = ""
    can: Allowed = field(default_factory=Allowed)

    @property
    def decides(self) -> bool:
        """Whether there is something for him to decide at once."""
        return self.can.confirm or self.can.decline or self.can.complete or self.can.no_show


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one heading; `title` says how many where it is folded."""

    key: str
    title: str
    lines: Sequence[Line]
    count: int
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Agenda:
    """Everything that templates/board/_list.html shows. `left_out`: how many there is no room for."""

    ask: Ask
    mine: bool
    sections: Sequence[Section]
    left_out: int

    @property
    def is_empty(self) -> bool:
        return not self.sections

    @property
    def has_day(self) -> bool:
        """Whether anything but what was dropped is there."""
        return any(one.key != "dropped" for one in self.sections)


@dataclass(frozen=True, slots=True)
class Listed:
    """A booking that belongs into the list. `seen`: whether he may see it, otherwise only that `names` are taken."""

    entry: Entry
    stage: str
    seen: bool
    names: str = ""

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN


def draw(ask: Ask) -> Drawn:
    """The bookings of all that is shown."""
    return _drawn(ask, _of_board(ask), mine=False)


def draw_mine(ask: Ask) -> Drawn:
    """My bookings: on a resource that I am, or where I am responsible or take part."""
    return _drawn(ask, _of_person(ask), mine=True)


def _drawn(ask: Ask, belongs: Callable[[Entry], Listed | None], *, mine: bool) -> Drawn:
    window = _window(ask)
    every = agenda.entries(ask.tx, ask.tenant.portal.id, window, ask.longest)
    listed = [one for one in map(belongs, every) if one and _answers(ask, one)]
    parts = _parts(ask, listed)
    sections, left_out = _sections(ask, parts)
    page = Agenda(ask, mine, sections, left_out)
    step = timedelta(days=ask.choice.days)
    return Drawn(
        body=Markup(render_template("board/_list.html", page=page)),  # noqa: S704 — a template has made it
        title=_title(ask),
        previous=max(ask.day - step, FIRST_DAY),
        next=min(ask.day + step, LAST_DAY),
        until=_until(ask, listed),
        legend=False,
        aside=Markup(render_template("board/_list_span.html", ask=ask)),  # noqa: S704 — as above
    )


def _window(ask: Ask) -> Interval:
    """One day or seven by the clock of the board."""
    last = min(ask.day + timedelta(days=ask.choice.days - 1), LAST_DAY)
    return Interval(When(ask.day, ask.zone, ask.at).window().start, When(last, ask.zone, ask.at).window().end)


def _title(ask: Ask) -> str:
    if ask.choice.days == 1:
        return texts.day(ask.language, ask.day)
    last = ask.day + timedelta(days=ask.choice.days - 1)
    first = str(ask.day.day)
    if ask.day.month != last.month:
        first += f"\N{NO-BREAK SPACE}{texts.month(ask.language, ask.day)}"
    return f"{first}\N{NO-BREAK SPACE}– {last.day}\N{NO-BREAK SPACE}{texts.month(ask.language, last)}"


def _until(ask: Ask, listed: Iterable[Listed]) -> int | None:
    """When the next of them begins or ends, or a hold does: then it stands in another section."""
    now = int(ask.at.timestamp())
    moments = (at for one in listed for at in (one.entry.start, one.entry.end, one.entry.until) if at and at > now)
    return min(moments, default=None)


# Which bookings ----


def _of_board(ask: Ask) -> Callable[[Entry], Listed | None]:
    """Those on what is shown, on parts of it, and on what it is a part of: what the board draws on a lane."""
    now, shown = int(ask.at.timestamp()), _related(ask)

    def belongs(one: Entry) -> Listed | None:
        touched = set().union(*(shown.get(place, ()) for place in one.on))
        if not touched:
            return None
        stage = one.stage_at(now)
        if _may_see(ask, one):
            return Listed(one, stage, seen=True)
        return _masked(ask, one, stage, touched)

    return belongs


def _related(ask: Ask) -> dict[int, set[int]]:
    """By resource what of the shown it takes: itself, what is made of it, its own parts."""
    found: dict[int, set[int]] = {}
    composites = ask.shown.composites()
    shown = {one.id for one in ask.shown.shown}
    for one in shown:
        for place in {one, *composites.get(one, ())}:
            found.setdefault(place, set()).add(one)
    for composite, parts in composites.items():
        if within := parts & shown:
            found.setdefault(composite, set()).update(within)
    return found


def _of_person(ask: Ask) -> Callable[[Entry], Listed | None]:
    now, me = int(ask.at.timestamp()), ask.visit.viewer.user_id
    his = agenda.resources_of_person(ask.tx, ask.tenant.portal.id, me)
    shown = {one.id for one in ask.shown.shown}

    def belongs(one: Entry) -> Listed | None:
        if not (his.intersection(one.on) or one.responsible_id == me or me in one.participants):
            return None
        if ask.choice.filters and not shown.intersection(one.on):
            return None
        stage = one.stage_at(now)
        return Listed(one, stage, seen=True) if _may_see(ask, one) else _masked(ask, one, stage, set(one.on))

    return belongs


def _may_see(ask: Ask, one: Entry) -> bool:
    """As `queries` has it: every resource of it, unless he has made it or is responsible for it."""
    viewer = ask.visit.viewer
    own = one.created_by == str(viewer.actor) or one.responsible_id == viewer.user_id
    return viewer.is_admin or own or all(ask.everything.may("see", place) for place in one.on)


def _masked(ask: Ask, one: Entry, stage: str, touched: Collection[int]) -> Listed | None:
    """That these are taken, where it takes any time; a request that he may not see is none of his business."""
    names = [ask.everything.every[place].name for place in sorted(touched) if ask.everything.may("busy", place)]
    return Listed(one, stage, seen=False, names=", ".join(names)) if names and stage in TAKES_TIME else None


def _answers(ask: Ask, one: Listed) -> bool:
    """Whether it is what the filters ask for; what is masked answers to none of those that would tell what it is."""
    choice = ask.choice
    if not one.seen:
        return not (choice.stages or choice.responsible_id or choice.service_id)
    return (
        (not choice.stages or one.stage in choice.stages)
        and (choice.responsible_id in (None, one.entry.responsible_id))
        and (choice.service_id in (None, one.entry.service_id))
    )


# In which order ----


def _parts(ask: Ask, listed: Sequence[Listed]) -> list[tuple[str, str, list[Listed]]]:
    """Key and title of each section with what stands in it; "past" and "dropped" are folded."""
    alive = [one for one in listed if one.stage not in DROPPED]
    dropped = [one for one in listed if one.stage in DROPPED and one.seen]
    if ask.choice.days > 1:
        parts = _by_day(ask, alive)
    else:
        parts = _of_today(ask, alive) if ask.day == ask.today else _by_part(ask, alive)
    return [part for part in (*parts, ("dropped", "", dropped)) if part[2]]


def _of_today(ask: Ask, alive: Sequence[Listed]) -> list[tuple[str, str, list[Listed]]]:
    now = int(ask.at.timestamp())
    found: dict[str, list[Listed]] = {"now": [], "decide": [], "next": [], "past": []}
    for one in alive:
        found[_when(one, now)].append(one)
    titles = {"now": _("Now"), "decide": _("Waiting for a decision"), "next": _("Next"), "past": ""}
    return [(key, titles[key], some) for key, some in found.items()]


def _when(one: Listed, now: int) -> str:
    if _waits(one, now):
        return "decide"
    if one.entry.end <= now or one.stage in ("completed", "no_show"):
        return "past"
    return "now" if one.entry.start <= now else "next"


def _waits(one: Listed, now: int) -> bool:
    """Whether somebody has to say something: yes or no to it, or what became of it."""
    return one.seen and (one.is_open or (one.entry.stage == "confirmed" and one.entry.end <= now))


def _by_part(ask: Ask, alive: Sequence[Listed]) -> list[tuple[str, str, list[Listed]]]:
    now = int(ask.at.timestamp())
    titles = {
        "decide": _("Waiting for a decision"), "morning": _("Morning"), "day": _("Afternoon"), "evening": _("Evening"),
    }  # fmt: skip
    found: dict[str, list[Listed]] = {key: [] for key in titles}
    for one in alive:
        found["decide" if _waits(one, now) else _part_of_day(ask, one)].append(one)
    return [(key, titles[key], some) for key, some in found.items()]


def _part_of_day(ask: Ask, one: Listed) -> str:
    local = _local(ask, one.entry.start)
    if local.date() < ask.day or local.hour < NOON:
        return "morning"
    return "day" if local.hour < EVENING else "evening"


def _by_day(ask: Ask, alive: Sequence[Listed]) -> list[tuple[str, str, list[Listed]]]:
    found: dict[date, list[Listed]] = {}
    for one in alive:
        found.setdefault(max(_local(ask, one.entry.start).date(), ask.day), []).append(one)
    return [(f"d{day}", texts.day(ask.language, day), some) for day, some in sorted(found.items())]


def _local(ask: Ask, instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC).astimezone(ask.zone)


# In words ----


def _sections(ask: Ask, parts: Sequence[tuple[str, str, list[Listed]]]) -> tuple[list[Section], int]:
    """The sections with their lines, and how many bookings there is no room for."""
    kept = _kept(parts)
    rows, owed = _read(ask, [one.entry for some in kept.values() for one in some if one.seen])
    sections, left_out = list[Section](), 0
    for key, title, some in parts:
        lines = list(_lines(ask, kept[key], rows, owed))
        folded = key in ("past", "dropped")
        if lines:
            sections.append(Section(key, _folded_title(key, some) if folded else title, lines, len(some), folded))
        left_out += len(some) - len(kept[key])
    first = [one for one in sections if one.key == "past"]  # as on a phone's screen: above, and in one line
    return [*first, *(one for one in sections if one.key != "past")], left_out


def _kept(parts: Sequence[tuple[str, str, list[Listed]]]) -> dict[str, list[Listed]]:
    room, kept = MOST_ROWS, {}
    for key, _heading, some in parts:
        folded = key in ("past", "dropped")
        kept[key] = some[-MOST_FOLDED:] if folded else some[:room]
        room -= 0 if folded else len(kept[key])
    return kept


def _folded_title(key: str, some: Sequence[Listed]) -> str:
    if key == "dropped":
        return ngettext("%(num)d cancelled or expired", "%(num)d cancelled or expired", len(some))
    missed = sum(one.stage == "no_show" for one in some)
    title = ngettext("%(num)d has passed", "%(num)d have passed", len(some))
    return title + (ngettext(", %(num)d of them a no-show", ", %(num)d of them no-shows", missed) if missed else "")


def _read(ask: Ask, shown: Sequence[Entry]) -> tuple[dict[UUID, BookingRow], dict[UUID, Decimal]]:
    """The bookings with everything that hangs on them, and what is outstanding of each that is not paid."""
    portal_id = ask.tenant.portal.id
    rows = agenda.rows_of(ask.tx, portal_id, ask.visit.viewer, [one.id for one in shown])
    unpaid = [one.id for one in shown if one.payment in OWED and one.stage_at(int(ask.at.timestamp())) not in DROPPED]
    sums = queries.sums_of(ask.tx, portal_id, unpaid)
    return rows, {key: one.outstanding for key, one in sums.items() if one.outstanding > 0}


def _lines(ask: Ask, some: Sequence[Listed], rows: dict[UUID, BookingRow], owed: dict[UUID, Decimal]) -> Iterable[Line]:
    rivals: dict[tuple[int, int, tuple[int, ...]], list[Listed]] = {}
    for one in some:
        if one.stage == "request" and one.seen:
            rivals.setdefault((one.entry.start, one.entry.end, tuple(one.entry.on)), []).append(one)
    for one in some:
        if not one.seen:
            yield _taken(ask, one)
            continue
        together = rivals.get((one.entry.start, one.entry.end, tuple(one.entry.on)), [one])
        if one.entry.id in rows and (one.stage != "request" or together[0] is one):
            many = len(together) if one.stage == "request" else 1
            yield _line(ask, one, rows[one.entry.id], owed.get(one.entry.id), many)


def _taken(ask: Ask, one: Listed) -> Line:
    start, end = _clocks(ask, one.entry)
    return Line(start, end, "busy", _("Taken"), _("Taken"), one.names)


def _line(ask: Ask, one: Listed, row: BookingRow, owed: Decimal | None, many: int) -> Line:
    look = Look(ask.visit, ask.tenant.portal, ask.zone, ask.at)
    pill = standing.pill(ask.language, row.booking, ask.at, ask.zone)
    start, end = _clocks(ask, one.entry)
    what, where = _what(row), _where(row)
    if many > 1:
        what, where = ngettext("%(num)d request", "%(num)d requests", many), _places(row)
        pill = Pill(LOOKS["request"], _("Requests"))
    return Line(
        start=start,
        end=end,
        look=pill.look,
        words=pill.words,
        short=_short(look, row) if one.stage == "prebooked" else "",
        what=what,
        where=where,
        row=row,
        owed=look.money(owed) if owed else "",
        can=_can(ask, one, row) if many == 1 else Allowed(),
    )


def _clocks(ask: Ask, entry: Entry) -> tuple[str, str]:
    """From when to when; what reaches over midnight says its other day."""
    start, end = _local(ask, entry.start), _local(ask, entry.end)
    said = [f"{one.hour}:{one.minute:02}" for one in (start, end)]
    first, last = start.date(), (end - timedelta(seconds=1)).date()
    if first != last:
        away = first if first < ask.day else last
        said[0 if first < ask.day else 1] += f"\N{NO-BREAK SPACE}{away:%d.%m}"
    return said[0], said[1]


def _what(row: BookingRow) -> str:
    """As its block on the board: the title, else the client, else what is done there."""
    return row.booking.title or (row.client.name if row.client else row.service.name)


def _where(row: BookingRow) -> str:
    """Beside that the client, the service and the places."""
    client = [row.client.name] if row.client and row.booking.title else []
    bare = row.service.resource_id is not None
    service = [] if bare or _what(row) == row.service.name else [row.service.name]
    return ", ".join([*client, *service, _places(row)])


def _places(row: BookingRow) -> str:
    party = row.booking.party
    people = [ngettext("%(num)d person", "%(num)d people", party)] if party > 1 else []
    return ", ".join([*(one.name for one in row.resources), *people])


def _short(look: Look, row: BookingRow) -> str:
    until = row.booking.held_until
    return _("until %(time)s", time=look.moment(until)) if until else ""


def _can(ask: Ask, one: Listed, row: BookingRow) -> Allowed:
    """What he may do about it in the list itself: decide. Everything else is in the panel."""
    if not ask.writable or not _waits(one, int(ask.at.timestamp())):
        return Allowed()
    return allowed(ask.visit.viewer, row.booking, row.resources, ask.at)
