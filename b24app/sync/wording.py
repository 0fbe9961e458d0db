"""Facts in words: the text of a comment and of a notice, in the portal's language. Pure.

Names of people and resources come from the ledger as they are now. Text of people may hold the portal's own markup,
which is taken out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.ledger.deliveries import Told
from b24app.ledger.occupancy import as_interval
from b24app.messages import MESSAGES

ARROW = "{} → {}"
LACKING = ("start", "end", "resource", "client", "kind", "name", "capacity")


@dataclass(frozen=True, slots=True)
class Tongue:
    """How to say it: language and money of the portal, its zone where a booking has none, and the names spoken of."""

    language: str
    zone: str
    currency: str
    people: Mapping[int, str]
    resources: Mapping[int, str]

    def say(self, code: str, **params: Any) -> str:
        """The sentence for a code."""
        return texts.say(self.language, code, **params)

    def zone_of(self, told: Told) -> ZoneInfo:
        """The clock that its booking goes by."""
        return ZoneInfo(told.zone or self.zone)


def people_in(told: Iterable[Told]) -> set[int]:
    """Whose names are needed."""
    actors = (str(one.row.params.get("actor", "")).partition(":") for one in told)
    return {int(number) for kind, _, number in actors if kind == "user" and number.isdecimal()}


def resources_in(told: Iterable[Told]) -> set[int]:
    """Which resources' names are needed."""
    found: set[int] = set()
    for one in told:
        params = one.row.params
        for side in (params.get("was") or {}, params.get("became") or {}):
            found.update(side.get("resources") or ())
        found.update(reason["resource"] for reason in params.get("reasons") or () if reason.get("resource"))
        found.update(filter(None, [one.row.resource_id]))
    return found


def comment(tongue: Tongue, told: Told, mark: str) -> str:
    """What stands in the card, with the mark by which it is found again as its last line."""
    lines = [_what(tongue, told, "comment"), *_details(tongue, told), *_reasons(tongue, told), _who(tongue, told), mark]
    return "\n".join(filter(None, lines))


def notice(tongue: Tongue, told: Told, url: str | None, now: datetime) -> str:
    """What a person is told: which booking, what about it, why, and where to look."""
    title = _title(tongue, told)
    link = f"[URL={url}]{title}[/URL]" if url and title else title
    more = [tongue.say("notice.together")] if told.row.params.get("together") else []
    said = f"{_reminder(tongue, told, now)} " if told.row.code == "reminder" else ""
    what = "" if said else _what(tongue, told, "notice")
    lines = [f"{said}{link}", what, *more, *_details(tongue, told), *_reasons(tongue, told), _who(tongue, told)]
    return "\n".join(filter(None, lines))


def _title(tongue: Tongue, told: Told) -> str:
    if told.booking is None:
        return _plain(tongue.resources.get(told.row.resource_id or 0, ""))
    during = as_interval(told.booking.during)
    when = texts.period(tongue.language, during.start, during.end, tongue.zone_of(told))
    return tongue.say("notice.booking", number=told.booking.number, service=_plain(told.service), when=when)


def _reminder(tongue: Tongue, told: Told, now: datetime) -> str:
    """How long it still is: a late reminder does not claim to be in time."""
    start = datetime.fromisoformat(told.row.params["start"])
    minutes = max(1, round((start - now).total_seconds() / 60))
    return tongue.say("notice.reminder", term=texts.term(tongue.language, minutes))


def _what(tongue: Tongue, told: Told, family: str) -> str:
    """The sentence for what has happened; what history calls it where it has no other name here."""
    code, params = told.row.code, told.row.params
    words = {
        "booking": params.get("booking", told.booking.number if told.booking else ""),
        "fields": ", ".join(tongue.say(f"lacks.{one}") for one in params.get("fields") or () if one in LACKING),
        "stage": tongue.say(f"stage.{params['stage']}") if f"stage.{params.get('stage')}" in MESSAGES else "",
    }
    known = next((one for one in (f"{family}.{code}", f"comment.{code}") if one in MESSAGES), None)
    return tongue.say(known, **words) if known else texts.say_refusal(tongue.language, "history", code)


def _details(tongue: Tongue, told: Told) -> Iterator[str]:
    """From what to what, how much, and why somebody did it."""
    was, became = told.row.params.get("was") or {}, told.row.params.get("became") or {}
    yield _moved(tongue, told, was, became)
    if was.get("resources") and became.get("resources"):
        yield ARROW.format(_things(tongue, was["resources"]), _things(tongue, became["resources"]))
    if "amount" in became:
        parts = [_money(tongue, became["amount"]), tongue.say(f"method.{became.get('method', 'other')}")]
        yield ", ".join(parts)
    if "fee" in became:
        yield tongue.say("detail.fee", amount=_money(tongue, became["fee"]))
    reason = told.booking.reason if told.booking is not None and told.row.code in ("cancelled", "declined") else ""
    yield "" if reason in ("cancelled", "declined", "undone") else _plain(reason)


def _moved(tongue: Tongue, told: Told, was: Mapping[str, Any], became: Mapping[str, Any]) -> str:
    """A change says only what differs; the end that stayed is the booking's."""
    if told.booking is None or was.keys().isdisjoint({"start", "end"}):
        return ""
    during, zone = as_interval(told.booking.during), tongue.zone_of(told)
    usual = {"start": during.start.isoformat(), "end": during.end.isoformat()}
    sides = ({**usual, **became, **was}, {**usual, **became})
    return ARROW.format(*(_period(tongue, side, zone) for side in sides))


def _period(tongue: Tongue, side: Mapping[str, Any], zone: ZoneInfo) -> str:
    start, end = datetime.fromisoformat(side["start"]), datetime.fromisoformat(side["end"])
    return texts.period(tongue.language, start, end, zone)


def _things(tongue: Tongue, ids: Sequence[int]) -> str:
    return ", ".join(_plain(tongue.resources.get(one, f"№ {one}")) for one in ids)


def _money(tongue: Tongue, amount: Any) -> str:
    return texts.money(tongue.language, Decimal(str(amount)), tongue.currency)


def _reasons(tongue: Tongue, told: Told) -> Iterator[str]:
    for one in told.row.params.get("reasons") or ():
        yield f"– {reason(tongue, one, tongue.zone_of(told))}"


def reason(tongue: Tongue, of: Mapping[str, Any], zone: ZoneInfo) -> str:
    """One reason (`announce.reasons`) as a sentence."""
    family, code, params = of["family"], str(of.get("code", "")), of.get("params") or {}
    if family == "violation":
        return texts.say_violation(tongue.language, code, params)
    if family == "obstacle":
        name = tongue.resources.get(of.get("resource") or 0, "")
        return texts.say_obstacle(tongue.language, code, params, zone, _plain(name))
    return texts.say_refusal(tongue.language, family, code)


def _who(tongue: Tongue, told: Told) -> str:
    """Who did it, where a person or a robot did."""
    kind, _, number = str(told.row.params.get("actor", "")).partition(":")
    if kind == "user" and number.isdecimal():
        name = tongue.people.get(int(number)) or tongue.say("actor.user", id=number)
        return tongue.say("told.by", who=_plain(name))
    return tongue.say("told.by", who=tongue.say(f"actor.{kind}")) if kind in ("client", "robot", "portal") else ""


def _plain(text: str) -> str:
    """Text of people, in which the portal finds no markup of its own."""
    return text.replace("[", "(").replace("]", ")")
