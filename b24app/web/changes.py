"""Settings, "Changes": who changed what and when, from what to what; taken back with one click."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.configuration import FieldChange
from b24app.booking.undo import can_undo, undo
from b24app.errors import Refused
from b24app.ledger import changes
from b24app.ledger.models import Portal
from b24app.ledger.portal_models import SettingChange
from b24app.ledger.session import Session, transaction
from b24app.web import change_words as words
from b24app.web import errors, panel, settings
from b24app.web.change_words import Teller
from b24app.web.errors import Problem
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("changes", __name__)

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One change. `fields` from what to what; `own`: it alone can be taken back, being one of several."""

    id: int
    subject: str
    name: str
    action: str
    fields: Sequence[words.Line]
    undone: bool
    own: bool


@dataclass(frozen=True, slots=True)
class Click:
    """What one click changed."""

    batch: uuid.UUID
    who: str
    when: str
    lines: Sequence[Line]
    can_undo: bool


@dataclass(frozen=True, slots=True)
class ChangesPage:
    """What templates/settings/_changes.html shows. `more`: the id before which older ones are."""

    clicks: Sequence[Click]
    kinds: Sequence[tuple[str, str]]
    kind: str
    more: int | None
    problems: Sequence[Problem] = ()
    told: str = ""


@blueprint.get("/app/changes")
def show() -> ResponseReturnValue:
    """The last changes; `kind` only those of one kind, `before` those before that id."""
    with transaction(services().engine) as tx:
        return _page(tx, seen_tenant().portal)


@blueprint.post("/app/changes/<uuid:batch>/undo")
def undo_batch(batch: uuid.UUID) -> ResponseReturnValue:
    """Takes back everything of one click."""
    return _undo(batch)


@blueprint.post("/app/changes/<int(max=9223372036854775807):change_id>/undo")
def undo_one(change_id: int) -> ResponseReturnValue:
    """Takes back one change of several."""
    return _undo(change_id)


def _undo(which: int | uuid.UUID) -> ResponseReturnValue:
    portal = seen_tenant().portal
    try:
        with transaction(services().engine) as tx:
            panel.check_writable(seen_tenant())
            undone = undo(
                tx, portal, which, viewer=current_visit().viewer, now=now(),
                longest_hours=services().settings.longest_booking_hours,
            )  # fmt: skip
            told = texts.say(current_visit().language, "changes.undone", count=len(undone))
            return _page(tx, portal, told=told)
    except Refused as refused:
        if errors.status(refused) == 404:
            raise
        with transaction(services().engine) as tx:
            problems = errors.problems(refused, current_visit().language)
            return _page(tx, portal, problems=problems), errors.status(refused)


def _page(tx: Session, portal: Portal, **said: Any) -> Any:
    kind, before = request.args.get("kind", ""), request.args.get("before", type=int)
    kind = kind if kind in words.SUBJECTS else ""
    rows = changes.newest(tx, portal.id, before_id=before, kind=kind, limit=SHOWN + 1)
    teller = Teller(current_visit().language, portal.currency, words.names_of(tx, portal))
    page = ChangesPage(
        clicks=_clicks(teller, rows[:SHOWN]),
        kinds=[(one, teller.subject(one)) for one in words.SUBJECTS],
        kind=kind,
        more=rows[SHOWN - 1].id if len(rows) > SHOWN else None,
        **said,
    )
    return settings.show_list("settings/_changes.html", page=page)


def _clicks(teller: Teller, rows: Sequence[SettingChange]) -> list[Click]:
    return [_click(teller, list(of_one)) for _batch, of_one in itertools.groupby(rows, key=lambda row: row.batch)]


def _click(teller: Teller, rows: Sequence[SettingChange]) -> Click:
    visit, first = current_visit(), rows[0]
    return Click(
        batch=first.batch,
        who=_who(teller, first.actor),
        when=texts.moment(visit.language, first.at, ZoneInfo(visit.time_zone), now()),
        lines=[_line(teller, row, alone=len(rows) == 1) for row in reversed(rows)],
        can_undo=any(can_undo(row) for row in rows),
    )


def _who(teller: Teller, actor: str) -> str:
    kind, _colon, number = actor.partition(":")
    if kind == "user" and number.isdecimal():
        return teller.person(int(number))
    return texts.say_refusal(teller.language, "actor", kind)


def _line(teller: Teller, row: SettingChange, *, alone: bool) -> Line:
    return Line(
        id=row.id,
        subject=teller.subject(row.kind),
        name=row.name or (_("The whole company") if row.kind == "closure" else ""),
        action=teller.action(row.action),
        fields=teller.lines(list(_fields(row))),
        undone=row.undone_at is not None,
        own=not alone and can_undo(row),
    )


def _fields(row: SettingChange) -> Iterator[FieldChange]:
    """What is another than before; of something that was added or removed its name says enough."""
    if row.kind in WHOLE:
        yield FieldChange(row.kind, row.before, row.after)
        return
    if row.action != "changed":
        return
    before, after = _mapping(row.before), _mapping(row.after)
    for name in {**before, **after}:
        yield FieldChange(name, before.get(name), after.get(name))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


# Kinds whose whole value is one field of that name.
WHOLE = frozenset({"access", "currency", "deal"})
