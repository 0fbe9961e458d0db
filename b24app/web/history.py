"""The history of a booking in words: what happened, from what to what, who did it and when.

Rows were written by this version or an older one, so nothing here relies on a key being there or on its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.ledger.models import History
from b24app.messages import MESSAGES

ARROW = "{} → {}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. `day`: as much of `at` as there is room for beside it."""

    action: str
    words: str
    details: tuple[str, ...]
    who: str
    at: str
    day: str


@dataclass(frozen=True, slots=True)
class Tongue:
    """How to say it: language, clock and money, and the names of the people and resources that are spoken of.

    `at`: when it is read, so that of today only the clock is told.
    """

    language: str
    zone: ZoneInfo
    currency: str
    people: Mapping[int, str]
    resources: Mapping[int, str]
    at: datetime | None = None

    def known(self, family: str, code: object) -> str:
        """The words for `family.code`; "" for a code that nobody knows."""
        return texts.say(self.language, f"{family}.{code}") if f"{family}.{code}" in MESSAGES else ""

    def person(self, user_id: object) -> str:
        """An employee by name, by number when he has never been here; "" for nobody."""
        if not isinstance(user_id, int):
            return ""
        return self.people.get(user_id) or texts.say(self.language, "actor.user", id=user_id)


def entries(tongue: Tongue, changes: Sequence[History]) -> list[Entry]:
    """All changes, in the order given."""
    return [
        Entry(
            action=change.action,
            words=texts.say_refusal(tongue.language, "history", change.action),
            details=tuple(filter(None, _details(tongue, change))),
            who=_actor(tongue, change.actor),
            at=_at(tongue, change.at),
            day=_at(tongue, change.at).partition(", ")[0],
        )
        for change in changes
    ]


def speaks_of_resources(changes: Sequence[History]) -> bool:
    """Whether some of these changes went from resource to resource."""
    return any("resources" in change.before for change in changes)


def _at(tongue: Tongue, at: datetime) -> str:
    return texts.moment(tongue.language, at, tongue.zone, tongue.at)


def _actor(tongue: Tongue, actor: str) -> str:
    kind, _, number = actor.partition(":")
    if kind == "user" and number.isdecimal():
        return tongue.person(int(number))
    return texts.say_refusal(tongue.language, "actor", kind)


def _details(tongue: Tongue, change: History) -> Iterator[str]:
    """What a change comes to; what somebody booked at first is told by the panel itself."""
    after = change.after
    yield _amount(tongue, after)
    yield tongue.known("detail.by", after.get("by"))
    if "fee" in after:
        yield texts.say(tongue.language, "detail.fee", amount=_money(tongue, after["fee"]))
    if not change.before:
        return
    yield _moved(tongue, change)
    for told in (_resources, _stage, _payment, _party, _responsible):
        yield _pair(told(tongue, change.before), told(tongue, after))


def _pair(was: str, became: str) -> str:
    return ARROW.format(was, became) if was and became and was != became else ""


def _amount(tongue: Tongue, after: Mapping[str, Any]) -> str:
    """«2 400 ₽, картой»."""
    parts = [_money(tongue, after.get("amount")), tongue.known("method", after.get("method"))]
    return ", ".join(filter(None, parts))


def _money(tongue: Tongue, amount: object) -> str:
    try:
        return texts.money(tongue.language, Decimal(str(amount)), tongue.currency)
    except InvalidOperation:
        return ""


def _stage(tongue: Tongue, side: Mapping[str, Any]) -> str:
    is_request = side.get("stage") == "prebooked" and side.get("competes")
    return tongue.known("stage", "request" if is_request else side.get("stage"))


def _payment(tongue: Tongue, side: Mapping[str, Any]) -> str:
    return tongue.known("payment", side.get("payment"))


def _responsible(tongue: Tongue, side: Mapping[str, Any]) -> str:
    return tongue.person(side.get("responsible"))


def _party(tongue: Tongue, side: Mapping[str, Any]) -> str:
    count = side.get("party")
    return texts.say(tongue.language, "people", count=count) if isinstance(count, int) else ""


def _resources(tongue: Tongue, side: Mapping[str, Any]) -> str:
    return ", ".join(tongue.resources[one] for one in side.get("resources") or () if one in tongue.resources)


def _moved(tongue: Tongue, change: History) -> str:
    """The bounds that changed, as they were and as they are; with the day when that is another one."""
    sides = [_bounds(change.before), _bounds(change.after)]
    days = {bound.astimezone(tongue.zone).date() for side in sides for bound in side if bound}
    return _pair(*(_span(tongue, *side, with_day=len(days) > 1) for side in sides))


def _bounds(side: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    return _instant(side.get("start")), _instant(side.get("end"))


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _span(tongue: Tongue, start: datetime | None, end: datetime | None, *, with_day: bool) -> str:
    language, zone = tongue.language, tongue.zone
    if start and end:
        return texts.period(language, start, end, zone) if with_day else texts.span(start, end, zone)
    bound = start or end
    if bound is None:
        return ""
    day = f"{texts.day(language, bound.astimezone(zone).date(), short=True)}, " if with_day else ""
    return texts.say(language, "from_time" if start else "until_time", time=f"{day}{texts.clock(bound, zone)}")
