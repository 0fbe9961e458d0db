"""In which sections resources stand: by kind, by place, or all together."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext

from b24app.ledger.spread import BoardResource
from b24app.web import kinds
from b24app.web.ask import Ask


@dataclass(frozen=True, slots=True)
class Section:
    """Resources under a title; "" where they need none."""

    title: str
    members: list[BoardResource]


def sections(ask: Ask) -> list[Section]:
    """What is shown, in sections as chosen; inside of them in the order of the board."""
    shown, group = ask.shown.shown, ask.choice.group
    if group == "none":
        return [Section("", list(shown))]
    if group == "place":
        places = dict.fromkeys(sorted(one.city for one in shown))
        named = [(place or gettext("Without a place"), [one for one in shown if one.city == place]) for place in places]
    else:
        named = [
            (kinds.many(ask.language, kind), [one for one in shown if one.kind == kind]) for kind in kinds.in_order()
        ]
    return [Section(title, members) for title, members in named if members]
