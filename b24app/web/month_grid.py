"""Rows of the month as markup: two hundred resources have 6,200 cells, so plain functions, one element a cell."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from b24app.ledger.spread import BoardResource
from b24app.web import kinds
from b24app.web.lanes import initials
from b24app.web.share import Share, total


def row(resource: BoardResource, shares: Sequence[Share], today: int | None) -> str:
    """One resource with its days and its average. A cell's day is told by its place in the row (static/views.js)."""
    name, several = escape(resource.name), total(shares)
    average = f"{several.percent} %" if several.working else ""
    return (
        f"<div class=mrow role=row data-r={resource.id} id=m{resource.id}><div class=res role=rowheader>"
        f'<span class="av {kinds.look(resource.kind)}" aria-hidden=true>{initials(resource.kind, resource.name)}</span>'
        f'<button type=button class="wname" tabindex=-1>{name}</button></div>'
        f"{cells(shares, today)}<div class=msum role=gridcell>{average}</div></div>"
    )


def cells(shares: Sequence[Share], today: int | None) -> str:
    """A cell for each day."""
    parts = []
    for day, one in enumerate(shares):
        look = f'"{one.level} today"' if day == today else f'"{one.level}"' if " " in one.level else one.level
        text = one.percent if one.working else "!" if one.bookings else ""
        parts.append(f"<a role=gridcell tabindex=-1 class={look}>{text}</a>")
    return "".join(parts)
