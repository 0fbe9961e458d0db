"""Which resource a week or a month is of: a control among the tools, with the one before and the one after."""

from __future__ import annotations

from dataclasses import dataclass

from flask import render_template
from markupsafe import Markup

from b24app.ledger.spread import BoardResource
from b24app.web import kinds
from b24app.web.ask import Ask


@dataclass(frozen=True, slots=True)
class Picker:
    """What templates/board/_picker.html shows. `before` and `after`: ids of the resources beside it on the board."""

    chosen: BoardResource | None
    groups: list[tuple[str, list[BoardResource]]]
    before: int | None
    after: int | None


def picker(ask: Ask, chosen: BoardResource | None, *, holds: bool = False) -> Markup:
    """The control; `holds`: and whether pre-bookings count as taken."""
    shown = list(ask.shown.shown) if chosen is None or chosen in ask.shown.shown else list(ask.everything.shown)
    ordered = [one for kind in kinds.in_order() for one in shown if one.kind == kind]
    place = ordered.index(chosen) if chosen else -1
    picked = Picker(
        chosen=chosen,
        groups=[
            (kinds.many(ask.language, kind), [one for one in ordered if one.kind == kind])
            for kind in kinds.in_order()
            if any(one.kind == kind for one in ordered)
        ],
        before=ordered[place - 1].id if place > 0 else None,
        after=ordered[place + 1].id if chosen and place + 1 < len(ordered) else None,
    )
    made = render_template("board/_picker.html", picker=picked, choice=ask.choice, holds=holds)
    return Markup(made)  # noqa: S704 — a template has made it
