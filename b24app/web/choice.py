"""What somebody has chosen to see on the board: which view, which day, what of it, in which groups.

It stands in the address, so that a fragment can be asked for again as it is; what is worth remembering of it is kept
with the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from b24app.booking.kinds import is_kind
from b24app.errors import InvalidInput

VIEWS = ("day", "week", "month", "list", "mine", "tall")  # tall: the day on a phone
GROUPS = ("kind", "place", "none")
STAGES = ("request", "prebooked", "confirmed", "paid", "completed", "no_show")
FIRST_DAY, LAST_DAY = date(2000, 1, 2), date(2100, 1, 1)
MOST_PEOPLE = 100_000
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Choice:
    """One look at the board. What is empty is not asked for.

    `day` None is today. `resource_id`: a week or month of this one alone. `free_from` and `free_to`: minutes of the day
    between which something has to be free. `stages` and `responsible_id` hide nothing that takes a place: what does not
    answer to them is drawn pale, because a board that left it out would lie about what is free. `days`: how many a list
    shows. `holds`: whether pre-bookings count as taken where a share is told.
    """

    view: str = "day"
    day: date | None = None
    resource_id: int | None = None
    service_id: int | None = None
    kind: str = ""
    place: str = ""
    capacity: int = 0
    free_from: int | None = None
    free_to: int | None = None
    responsible_id: int | None = None
    stages: tuple[str, ...] = ()
    group: str = "kind"
    days: int = 1
    holds: bool = True

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Choice:
        """What an address asks for. Nonsense counts as nothing, but a day that is none raises InvalidInput."""
        free_from, free_to = _minute(values.get("from")), _minute(values.get("to"))
        return cls(
            view=_one_of(values.get("view"), VIEWS),
            day=parse_day(values["day"], "day") if values.get("day") else None,
            resource_id=_whole(values.get("resource")),
            service_id=_whole(values.get("service")),
            kind=values["kind"] if is_kind(values.get("kind") or "") else "",
            place=values.get("place", "")[:200],
            capacity=min(_whole(values.get("capacity")) or 0, MOST_PEOPLE),
            free_from=free_from if free_to is not None and free_from is not None and free_from < free_to else None,
            free_to=free_to if free_from is not None and free_to is not None and free_from < free_to else None,
            responsible_id=_whole(values.get("responsible")),
            stages=tuple(one for one in STAGES if one in values.get("stages", "").split(",")),
            group=_one_of(values.get("group"), GROUPS),
            days=7 if values.get("days") == "7" else 1,
            holds=values.get("holds") != "no",
        )

    @property
    def address(self) -> dict[str, str | int]:
        """The parameters that ask for it; `parse` of them gives it back."""
        named = {
            "view": self.view if self.view != VIEWS[0] else None,
            "day": self.day.isoformat() if self.day else None,
            "resource": self.resource_id,
            "service": self.service_id,
            "kind": self.kind,
            "place": self.place,
            "capacity": self.capacity,
            "from": clock(self.free_from),
            "to": clock(self.free_to),
            "responsible": self.responsible_id,
            "stages": ",".join(self.stages),
            "group": self.group if self.group != GROUPS[0] else None,
            "days": self.days if self.days != 1 else None,
            "holds": None if self.holds else "no",
        }
        return {name: value for name, value in named.items() if value}

    @property
    def filters(self) -> bool:
        """Whether anything is left out or drawn pale."""
        return self.without_filters() != self

    def without_filters(self) -> Choice:
        """The same view of everything."""
        return Choice(self.view, self.day, self.resource_id, group=self.group, days=self.days, holds=self.holds)

    def but(self, **changes: Any) -> Choice:
        """The same with something else."""
        return replace(self, **changes)

    @property
    def kept(self) -> dict[str, str | int]:
        """What is remembered of it: everything but the day, and that it was a phone."""
        return self.but(day=None, view=self.view if self.view != "tall" else "day").address

    @classmethod
    def recall(cls, kept: object) -> Choice:
        """A choice out of what was remembered, by this version or another one; what makes no sense is left out."""
        if not isinstance(kept, Mapping):
            return cls()
        return cls.parse({str(name): str(value) for name, value in kept.items() if name != "day"})


def parse_day(value: str, field: str) -> date:
    """A day within the calendar of the board; raises InvalidInput."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise InvalidInput({field: "not_a_date"}) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InvalidInput({field: "out_of_range"})
    return day


def clock(minute: int | None) -> str:
    """«09:30» for 570; "" for None."""
    return "" if minute is None else f"{minute // 60:02}:{minute % 60:02}"


def _minute(text: str | None) -> int | None:
    hours, _, minutes = (text or "").partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and len(hours) <= 2 and len(minutes) == 2):
        return None
    at = int(hours) * 60 + int(minutes)
    return at if at <= DAY_MINUTES and int(minutes) < 60 else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def _one_of(text: str | None, known: tuple[str, ...]) -> str:
    return text if text in known else known[0]
