"""The tools above the board: views, the days of the week, what filters there are and which of them are set."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from b24app import texts
from b24app.ledger.board import BoardService
from b24app.ledger.spread import Offered
from b24app.web import kinds
from b24app.web.choice import DAY_MINUTES, FIRST_DAY, LAST_DAY, STAGES, VIEWS, Choice, clock

CAPACITIES = (2, 4, 6, 8, 10, 12, 15, 20, 30, 50, 80, 100, 200, 500)
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set: its words, and what takes it away."""

    name: str
    words: str
    without: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WeekDay:
    """A day to go to, in the strip of a phone."""

    day: date
    short: str
    is_weekend: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What the filters can be about: everything that this visitor may see."""

    everything: Offered
    services: Sequence[BoardService]
    people: Mapping[int, str]

    @property
    def kinds(self) -> list[str]:
        found = {one.kind for one in self.everything.shown}
        return [kind for kind in kinds.in_order() if kind in found]

    @property
    def places(self) -> list[str]:
        return sorted({one.city for one in self.everything.shown if one.city})

    @property
    def capacities(self) -> list[int]:
        most = max((one.capacity for one in self.everything.shown), default=0)
        return [number for number in CAPACITIES if number <= most]


@dataclass(frozen=True, slots=True)
class Tools:
    """What templates/board/_tools.html shows besides the view's own title and arrows."""

    language: str
    choice: Choice
    known: Known
    names: Sequence[str]

    @property
    def views(self) -> list[tuple[str, str]]:
        words = {"day": _("Day"), "week": _("Week"), "month": _("Month"), "list": _("List"), "mine": _("Mine")}
        return [(name, words[name]) for name in self.names]

    @property
    def arrows(self) -> tuple[str, str]:
        if self.choice.view == "week" or (self.choice.view in ("list", "mine") and self.choice.days > 1):
            return _("Previous week"), _("Next week")
        if self.choice.view == "month":
            return _("Previous month"), _("Next month")
        return _("Previous day"), _("Next day")

    @property
    def week(self) -> list[WeekDay]:
        """The days from Monday to Sunday around the one that is shown."""
        day = self.choice.day
        assert day is not None, "read_board sets it"
        days = (day + timedelta(n - day.weekday()) for n in range(7))
        return [
            WeekDay(one, texts.weekday(self.language, one), one.weekday() >= SATURDAY)
            for one in days
            if FIRST_DAY <= one <= LAST_DAY
        ]

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(kind, kinds.many(self.language, kind)) for kind in self.known.kinds]

    @property
    def place_options(self) -> list[tuple[str, str]]:
        return [(place, place) for place in self.known.places]

    @property
    def capacities(self) -> list[tuple[int, str]]:
        return [(number, for_people(number)) for number in self.known.capacities]

    @property
    def services(self) -> list[tuple[int, str]]:
        return [(one.id, one.name) for one in self.known.services]

    @property
    def people(self) -> list[tuple[int, str]]:
        return [(person, self._name(person)) for person in self.known.people]

    @property
    def groups(self) -> list[tuple[str, str]]:
        return groupings()

    @property
    def clocks(self) -> list[str]:
        """The half hours of a day, its end included."""
        return [clock(minute) for minute in range(0, DAY_MINUTES + 1, 30)]

    @property
    def stages(self) -> list[tuple[str, str]]:
        return [(stage, texts.say(self.language, f"stage.{stage}")) for stage in STAGES]

    @property
    def chips(self) -> list[Chip]:
        """The filters that are set, in the order of the tools."""
        return [chip for chip in self._all_chips() if chip.words]

    def _all_chips(self) -> list[Chip]:
        of, free = self.choice, _("Free %(span)s", span=f"{clock(self.choice.free_from)}–{clock(self.choice.free_to)}")
        asks_free = self.free_matters and of.free_from is not None
        service = next((one.name for one in self.known.services if one.id == of.service_id), "")
        return [
            Chip("place", of.place, {"place": ""}),
            Chip("kind", kinds.many(self.language, of.kind) if of.kind else "", {"kind": ""}),
            Chip("capacity", for_people(of.capacity) if of.capacity else "", {"capacity": 0}),
            Chip("free", free if asks_free else "", {"free_from": None, "free_to": None}),
            Chip("service", service, {"service_id": None}),
            Chip("responsible", self._in_charge(), {"responsible_id": None}),
            Chip("stages", self._stages(), {"stages": ()}),
        ]  # fmt: skip

    @property
    def free_matters(self) -> bool:
        """Whether this view leaves out what is not free."""
        return self.choice.view in ("day", "tall")

    def _in_charge(self) -> str:
        person = self.choice.responsible_id
        return "" if person is None else self._name(person)

    def _name(self, person: int) -> str:
        return self.known.people.get(person) or _("Employee No. %(number)s", number=person)

    def _stages(self) -> str:
        chosen = [words for stage, words in self.stages if stage in self.choice.stages]
        if len(chosen) > 1:
            return ngettext("%(num)d stage", "%(num)d stages", len(chosen))
        return "".join(chosen)


def groupings() -> list[tuple[str, str]]:
    """The groups that lanes may stand in, and their words."""
    return [("kind", _("by kind")), ("place", _("by place")), ("none", _("all in a row"))]


def for_people(number: int) -> str:
    """«от 8 человек»."""
    return ngettext("for %(num)d person or more", "for %(num)d people or more", number)


def known_views(drawn: Collection[str]) -> list[str]:
    """The views that there are, in the order of the tools."""
    return [name for name in VIEWS if name in drawn and name != "tall"]
