"""The first page of a frame: the board, or a card's bookings above it. Fragments replace parts of it afterwards."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import current_app, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup, escape

from b24app.ledger.session import transaction
from b24app.web import bearer, board, remembered
from b24app.web.board import blueprint
from b24app.web.bookings import card_of_visit
from b24app.web.condition import warning
from b24app.web.crm import CardContext
from b24app.web.tab import choice_of, read_tab
from b24app.web.visit import Visit, current_tenant, current_visit, now, seen_tenant, services

PLAIN = "!$'()*,/:;?@"  # may stand in a query as they are: so does werkzeug have it
RANGE = re.compile(r"(\d+:\d\d–\d+:\d\d)")


@blueprint.app_template_global()
def asset(name: str) -> str:
    """The address of a static file; it changes with the file, so that browsers may keep it."""
    return link("static", filename=name, v=_changed_at(Path(current_app.static_folder or "") / name))


@cache
def _changed_at(path: Path) -> int:
    """Once for the process: what a running one serves does not change."""
    return int(path.stat().st_mtime)


@blueprint.app_template_global()
def link(endpoint: str, **values: Any) -> str:
    """As url_for, for an address whose values stand in the query, or in the path for static files.

    Some fifty stand in a board, and to build each from the rules took a tenth of it (docs/performance.md).
    """
    known: dict[str, str] = g.setdefault("links", {})
    if endpoint not in known:
        known[endpoint] = url_for("static", filename="") if endpoint == "static" else url_for(endpoint)
    start = known[endpoint] + values.pop("filename", "")
    query = urlencode({name: value for name, value in values.items() if value is not None}, safe=PLAIN)
    return f"{start}?{query}" if query else start


@blueprint.app_template_global()
def condition() -> str:
    """One line where something is wrong with the whole installation."""
    return warning(seen_tenant())


@blueprint.app_template_filter()
def nobreak(text: str) -> Markup:
    """The text with its ranges of time kept in one line."""
    return Markup(RANGE.sub(r'<span class="nb">\1</span>', str(escape(text))))  # noqa: S704 — escaped just here


@blueprint.app_template_global()
def script_words() -> dict[str, str]:
    """What static/app.js says to people."""
    return {
        "past": _("This time has already passed"),
        "booked": _("Booking No. {number}"),
        "saved": _("Saved: {name}"),
        "copied": _("The link is copied"),
        "offline": _("There is no connection. What you see may be out of date."),
        "expired": _("The session has ended. Open the page again from Bitrix24."),
        "free": _("free"),
        "failing": _("The application does not answer. What you typed is still here: try again in a minute."),
        "asleep": _("Bitrix24 has not answered since {time}. What you typed is still here."),
        "check": _("Check now"),
        "stale": _("The board may be out of date: updated {num} min ago."),
        "update": _("Update"),
        "left": _("{num} min"),
        "moving": _("Moving: arrows lead it, Enter puts it down, Esc gives up"),
        "fixed": _("This cannot be moved here"),
        "kept": _("It stays where it was"),
        "close": _("Close"),
        "taken": _("taken"),
        "again": _("Try again"),
        "back": _("Take back"),
        "stays": _("No connection. The booking stays where it was."),
        "unbooked": _("No connection. Nothing was booked."),
    }


def render_place(visit: Visit, card: CardContext | None) -> str:
    """The whole page for the place where the portal shows us; `card` was read with the visitor's own token."""
    with transaction(services().engine) as tx:
        tenant = current_tenant(tx)
        begins = choice_of(tx, tenant, visit, card) if card else None
        shown = board.read_board(tx, tenant, visit, begins or remembered.recall(tx, visit), now())
        tab = read_tab(tx, tenant, visit, card, now()) if card else None
    return render_template(
        "tab/page.html" if tab else "board/page.html",
        visit=visit,
        board=shown,
        tab=tab,
        bearer=bearer.issue(visit),
        language=visit.language,
        expires_in=int((visit.expires_at - now()).total_seconds()),
    )


@blueprint.get("/app/tab")
def tab_fragment() -> ResponseReturnValue:
    """The bookings of the card in whose tab we are, as a fragment; `of` client: those of its client."""
    visit = current_visit()
    card = card_of_visit(visit)
    with transaction(services().engine) as tx:
        tab = read_tab(tx, seen_tenant(), visit, card, now(), request.args.get("of", "")) if card else None
    return render_template("tab/_bookings.html", tab=tab, visit=visit)
