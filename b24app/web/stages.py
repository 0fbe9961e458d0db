"""The way of a booking from stage to stage, as its panel draws it: what was when, where it stands, what is to come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from b24app import texts
from b24app.ledger.models import Booking, History
from b24app.ledger.occupancy import as_interval
from b24app.scheduling.stage import Payment, Stage
from b24app.web.standing import LOOKS, Look, stage_of

# Where a way ends that does not end well.
FAILED = frozenset({"cancelled", "expired", "no_show"})
WAY = ("prebooked", "confirmed", "paid", "completed")


@dataclass(frozen=True, slots=True)
class Step:
    """One stage. `state`: was, cur, bad (it ended there), or "" for what is still to come; `look` colours `cur`."""

    words: str
    when: str
    state: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class _Way:
    """What of a booking decides about its steps. `reached`: when it came to a stage last."""

    look: Look
    booking: Booking
    reached: Mapping[str, datetime]
    stands: str
    awaited: str


def steps(look: Look, booking: Booking, changes: Sequence[History], awaited: str) -> tuple[Step, ...]:
    """The steps in their order; `awaited` is the sum that is still to be paid, in words."""
    way = _Way(look, booking, _reached(booking, changes), stage_of(booking, look.at), awaited)
    return tuple(_failed(way) if way.stands in FAILED else _going(way))


def _reached(booking: Booking, changes: Sequence[History]) -> dict[str, datetime]:
    """`changes` come with the newest first. An older row may lack what a newer version writes."""
    found: dict[str, datetime] = {}
    for change in reversed(changes):
        for key in (change.after.get("stage"), _paid(change.after)):
            if isinstance(key, str):
                found[key] = change.at
    if booking.stage in FAILED:
        found.setdefault(str(booking.stage), booking.updated_at)
    return found


def _paid(after: Mapping[str, Any]) -> str | None:
    return "paid" if after.get("payment") == Payment.PAID else None


def _going(way: _Way) -> Iterator[Step]:
    stands = "prebooked" if way.stands == "request" else way.stands
    names = [name for name in WAY if _belongs(way, name)]
    place = names.index(stands) if stands in names else 0
    for n, name in enumerate(names):
        state = "cur" if n == place else "was" if n < place and _was(way, name) else ""
        yield Step(_words(way, name), _when(way, name, state), state, LOOKS[way.stands] if state == "cur" else "")


def _belongs(way: _Way, name: str) -> bool:
    """What was confirmed at once was never pre-booked, and nobody pays for what costs nothing."""
    if name == "paid":
        return way.booking.payment != Payment.NONE
    return name != "prebooked" or name in way.reached or way.booking.stage == Stage.PREBOOKED


def _was(way: _Way, name: str) -> bool:
    return name != "paid" or way.booking.payment == Payment.PAID


def _words(way: _Way, name: str) -> str:
    return texts.say(way.look.language, f"stage.{name}")


def _when(way: _Way, name: str, state: str) -> str:
    """When it came to that, or what it waits for."""
    if name == "prebooked" and state == "cur":
        return _holding(way)
    if state or (name == "paid" and way.booking.payment == Payment.PAID):
        return _moment(way, way.reached.get(name))
    if name == "confirmed":
        return _("waits for a decision") if way.booking.competes or way.booking.needs_approval else ""
    if name == "paid":
        return _("%(amount)s expected", amount=way.awaited) if way.awaited else ""
    return _moment(way, as_interval(way.booking.during).end)


def _holding(way: _Way) -> str:
    if way.booking.competes:
        return _("a request, holds no time")
    until = way.booking.held_until
    return _("until %(time)s", time=way.look.moment(until)) if until else ""


def _moment(way: _Way, at: datetime | None) -> str:
    return way.look.dated(at) if at else ""


def _failed(way: _Way) -> Iterator[Step]:
    """What it has been, and how it ended."""
    for name in WAY[:3]:
        if name in way.reached and name != way.stands and (name != "paid" or _was(way, name)):
            yield Step(_words(way, name), _moment(way, way.reached[name]), "was")
    ended = way.reached.get(way.stands) or way.booking.held_until
    yield Step(_words(way, way.stands), _moment(way, ended), "bad", LOOKS[way.stands])
