"""How somebody had the board when he was here last: read for his first page, written when he chooses otherwise."""

from __future__ import annotations

from flask import request

from b24app.ledger import choices
from b24app.ledger.session import Session, transaction
from b24app.web.caller import card_kind
from b24app.web.choice import Choice
from b24app.web.visit import Visit, current_visit, services

CALENDAR = "CALENDAR_GRIDVIEW"


def place_of(visit: Visit) -> str:
    """The kind of place where the board is shown: page, card or calendar."""
    if visit.place == CALENDAR:
        return "calendar"
    return "card" if card_kind(visit.place) else "page"


def recall(tx: Session, visit: Visit) -> Choice:
    """The choice to begin with. The portal's calendar walks day by day, and a phone begins with the list."""
    choice = Choice.recall(choices.recall(tx, visit.portal_id, visit.viewer.user_id, place_of(visit)))
    if place_of(visit) == "calendar":
        return choice.but(view="day")
    return choice.but(view="list") if choice.view == "day" and is_phone() else choice


def keep(choice: Choice) -> None:
    """Remembers it for the kind of place where the visitor is. Who looks as somebody else leaves his choice alone."""
    visit = current_visit()
    if visit.watched_by is not None:
        return
    with transaction(services().engine) as tx:
        choices.keep(tx, visit.portal_id, visit.viewer.user_id, place_of(visit), choice.kept)


def is_phone() -> bool:
    """Whether the browser says that it is one: a hint, for the first page only."""
    return "Mobi" in request.headers.get("User-Agent", "")
