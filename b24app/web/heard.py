"""Who has been told what of a booking, and of what somebody will be reminded: its notices in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _

from b24app import texts
from b24app.ledger.deliveries import MISSED, NOTICE, UNKNOWN, VOID
from b24app.ledger.portal_models import Delivery
from b24app.web.history import Tongue
from b24app.web.standing import Look

REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class Line:
    """One notice to one or several people. `state`: planned, sent, unknown, missed or refused; `note` explains the
    last three."""

    words: str
    who: str
    when: str
    state: str
    note: str = ""


def lines(look: Look, tongue: Tongue, rows: Sequence[Delivery]) -> list[Line]:
    """The notices, what is planned last; those that several people get at once are one line."""
    found: dict[tuple[object, ...], list[Delivery]] = {}
    for row in sorted((one for one in rows if one.kind == NOTICE and one.outcome != VOID), key=_at):
        found.setdefault((row.code, row.params.get("minutes"), row.number, row.outcome), []).append(row)
    return [_line(look, tongue, together) for together in found.values()]


def _at(row: Delivery) -> datetime:
    return row.done_at or row.due_at


def _line(look: Look, tongue: Tongue, rows: Sequence[Delivery]) -> Line:
    row = rows[0]
    people = dict.fromkeys(filter(None, (tongue.person(one.recipient) for one in rows)))
    state = row.outcome or "planned"
    return Line(_words(tongue, row), ", ".join(people), look.dated(_at(row)), state, _note(look, row))


def _words(tongue: Tongue, row: Delivery) -> str:
    minutes = row.params.get("minutes")
    if row.code == REMINDER and isinstance(minutes, int):
        return _("Reminder %(term)s before", term=texts.term(tongue.language, minutes))
    return texts.say_refusal(tongue.language, "history", row.code)


def _note(look: Look, row: Delivery) -> str:
    if row.outcome == MISSED and row.useful_until and isinstance(row.params.get("minutes"), int):
        at = row.useful_until - timedelta(minutes=row.params["minutes"])
        return texts.say(look.language, "reminder_missed", at=texts.moment(look.language, at, look.zone))
    if row.outcome == UNKNOWN:
        return _("Bitrix24 did not answer whether it arrived")
    return _("Bitrix24 did not take it") if row.outcome == "refused" else ""
