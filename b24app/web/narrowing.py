"""What of the board somebody wants: lanes that are left out, blocks that are drawn pale, and when nothing is left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import render_template
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup

from b24app import texts
from b24app.ledger import choices
from b24app.ledger.board import BoardService
from b24app.ledger.spread import BoardResource, Offered
from b24app.web.ask import Ask, Drawn
from b24app.web.choice import Choice, clock

# A block that leads to a booking, in whatever view: its classes and the number.
BLOCK = re.compile(r'(<(?:a|button)\b[^>]*?\bclass="b )([^"]*)("[^>]*?\bhref="?#(\d+)\b[^>]*>)')
STEPS = {"week": 7, "month": 28}  # days, where the arrows lead while there is no view to say so
STAGE_OF_LOOK = {
    "hold": "prebooked",
    "req": "request",
    "conf": "confirmed",
    "paid": "paid",
    "done": "completed",
    "nosh": "no_show",
}


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A choice that can be answered, and the resources it leaves. `gone`: what was asked for and is no more."""

    choice: Choice
    shown: Offered
    gone: Sequence[str] = ()


def narrowed(choice: Choice, everything: Offered, offers: Sequence[BoardService]) -> Narrowed:
    """The lanes that the choice leaves. What it names and nobody has any more is told, and counts as nothing."""
    known, gone = _known(choice, everything, offers)
    service = next((one for one in offers if one.id == known.service_id), None)
    ids = {one.id for one in everything.shown if _is_wanted(known, one, service)}
    return Narrowed(known, everything if len(ids) == len(everything.shown) else everything.only(ids), gone)


def _known(choice: Choice, everything: Offered, offers: Sequence[BoardService]) -> tuple[Choice, list[str]]:
    gone: list[str] = []
    if choice.service_id is not None and all(one.id != choice.service_id for one in offers):
        choice, gone = choice.but(service_id=None), [*gone, _("The service is no longer there.")]
    if choice.resource_id is not None and all(one.id != choice.resource_id for one in everything.shown):
        choice, gone = choice.but(resource_id=None), [*gone, _("The resource is no longer on the board.")]
    if choice.place and all(one.city != choice.place for one in everything.shown):
        gone.append(_("Nothing is at “%(place)s” any more.", place=choice.place))
        choice = choice.but(place="")
    return choice, gone


def _is_wanted(choice: Choice, resource: BoardResource, service: BoardService | None) -> bool:
    return (
        (not choice.kind or resource.kind == choice.kind)
        and (not choice.place or resource.city == choice.place)
        and resource.capacity >= choice.capacity
        and (service is None or resource.id in service.resource_ids)
    )


def faded(ask: Ask, body: Markup) -> Markup:
    """The view with those blocks pale that the choice of stages and of a responsible leaves aside.

    Done to the markup, whichever view has made it: who filters pays for it, and nobody else.
    """
    stages, person = ask.choice.stages, ask.choice.responsible_id
    if not stages and person is None:
        return body
    theirs: set[int] | None = None
    if person is not None:
        numbers = [int(number) for *_rest, number in BLOCK.findall(body)]
        theirs = choices.numbers_of(ask.tx, ask.tenant.portal.id, person, numbers)

    def pale(found: re.Match[str]) -> str:
        look = found[2].split(" ", 1)[0]
        answers = (not stages or STAGE_OF_LOOK.get(look) in stages) and (theirs is None or int(found[4]) in theirs)
        return found[0] if answers else f"{found[1]}{found[2]} dim{found[3]}"

    return Markup(BLOCK.sub(pale, body))  # noqa: S704 — the view's own markup with one more class


def nothing_left(ask: Ask, near: Sequence[tuple[BoardResource, int]] = ()) -> Drawn:
    """Says that nothing answers to the filters; `near`: what is free later that day, and from when on."""
    zone = ask.zone
    later = [
        _("%(name)s from %(time)s", name=one.name, time=texts.clock(datetime.fromtimestamp(at, UTC), zone))
        for one, at in near
    ]
    body = render_template(
        "board/_nothing.html",
        head=_what_is_missing(ask.choice),
        later=", ".join(later),
        everything=ask.choice.without_filters().address,
    )
    return Drawn(
        body=Markup(body),  # noqa: S704 — a template has made it
        title=texts.day(ask.language, ask.day),
        previous=ask.shifted(-STEPS.get(ask.choice.view, 1)),
        next=ask.shifted(STEPS.get(ask.choice.view, 1)),
        legend=False,
    )


def _what_is_missing(choice: Choice) -> str:
    people, span = choice.capacity, f"{clock(choice.free_from)}–{clock(choice.free_to)}"
    if choice.free_from is not None and people:
        return ngettext(
            "Nothing free for %(num)d person, %(span)s", "Nothing free for %(num)d people, %(span)s", people, span=span
        )
    if choice.free_from is not None:
        return _("Nothing free %(span)s", span=span)
    if people:
        return ngettext("Nothing for %(num)d person", "Nothing for %(num)d people", people)
    return _("Nothing answers to the filters")
