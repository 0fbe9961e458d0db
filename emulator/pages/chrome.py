"""What stands around every page: the left menu, the bell, and the words templates use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import g, render_template, request, url_for

from emulator import placement
from emulator.apps import menu_title
from emulator.pages.viewer import LANGUAGES, Viewer, viewer
from emulator.pages.when import moment_words

NOTICES_SHOWN = 30
LINK = re.compile(r"\[URL=(https?://[^\]\s]+)\](.*?)\[/URL\]", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Entry:
    title: str
    url: str
    icon: str

    @property
    def current(self) -> bool:
        """Whether the page belongs to this entry: lists own the cards below them."""
        path = self.url.split("?")[0]
        stem = path.removesuffix("list/").removesuffix("kanban/category/0/")
        return request.path == path or (stem != path and request.path.startswith(stem))


@dataclass(frozen=True)
class Group:
    title: str
    entries: list[Entry] = field(default_factory=list)


def context() -> dict[str, Any]:
    """What every template can use."""
    if "viewer" not in g:
        return {}
    me = viewer()
    framed = request.args.get("IFRAME") == "Y"
    around = {} if framed else {"menu": menu(me), "notices": bell(me), "here": request.full_path.rstrip("?")}
    return {"me": me, "t": me.t, "in_slider": framed, "languages": LANGUAGES, **around}


def menu(me: Viewer) -> list[Group]:
    """The left menu of this viewer; groups without entries are left out."""
    groups = [
        Group(
            me.t("crm"),
            [
                Entry(me.t("deals"), "/crm/deal/list/", "deal"),
                Entry(me.t("leads"), "/crm/lead/list/", "contact"),
                Entry(me.t("contacts"), "/crm/contact/list/", "contact"),
                Entry(me.t("companies"), "/crm/company/list/", "company"),
                Entry(me.t("bin"), "/crm/recyclebin/", "box"),
                *_crm_administration(me),
            ],
        ),
        Group(me.t("processes"), _processes(me)),
        Group(
            me.t("calendars"),
            [
                Entry(me.t("company_calendar"), "/calendar/", "calendar"),
                Entry(me.t("my_calendar"), f"/company/personal/user/{me.user.id}/calendar/", "calendar"),
            ],
        ),
        Group(me.t("company"), [Entry(me.t("staff"), url_for("pages.show_staff"), "contact")]),
        Group(me.t("applications"), _applications(me)),
        Group(me.t("developers"), _developers(me)),
        Group(
            me.t("stand"),
            [
                Entry(me.t("knobs"), url_for("pages.show_knobs"), "knobs"),
                Entry(me.t("calls"), url_for("pages.show_calls"), "log"),
                Entry(me.t("events_sent"), url_for("pages.show_events"), "log"),
            ],
        ),
    ]
    return [group for group in groups if group.entries]


def _processes(me: Viewer) -> list[Entry]:
    return [
        Entry(str(kind["title"]), f"/crm/type/{kind['entityTypeId']}/kanban/category/0/", "process")
        for kind in list(me.portal.types.values())
    ]


def _crm_administration(me: Viewer) -> list[Entry]:
    """What administrators set in the CRM; deals have robots like smart processes."""
    if not me.user.is_admin:
        return []
    return [
        Entry(me.t("automation"), "/crm/automation/2/", "code"),
        Entry(me.t("runs"), "/crm/runs/", "log"),
        Entry(me.t("crm_rights"), "/crm/rights/", "lock"),
    ]


def _applications(me: Viewer) -> list[Entry]:
    """Placements of the left menu, then each application's own item; an unfinished one has only the latter."""
    bound = [
        Entry(one["title"], url_for("pages.open_menu_page", app_id=one["card"].id, row_id=one["row"]["id"]), "app")
        for one in placement.widgets(me.portal, me.user, "LEFT_MENU")
    ]
    own = [
        Entry(menu_title(card, me.lang), url_for("pages.open_app", app_id=card.id), "app")
        for card in list(me.portal.apps.values())
        if me.may_open(card) and card.menu_title
    ]
    return bound + own


def _developers(me: Viewer) -> list[Entry]:
    return [Entry(me.t("local_apps"), url_for("pages.list_apps"), "code")] if me.user.is_admin else []


def bell(me: Viewer) -> dict[str, Any]:
    """This viewer's notices, newest first, and how many he has not seen."""
    mine = [note for note in me.portal.notices if note.get("user_id") == me.user.id]
    rows = [{"text": _pieces(note.get("message", "")), "when": _when(me, note.get("at"))} for note in reversed(mine)]
    return {"rows": rows[:NOTICES_SHOWN], "unread": sum(not note.get("read") for note in mine)}


def _pieces(text: str) -> list[tuple[str, str]]:
    """Words and where they lead: notices may hold ``[URL=address]words[/URL]``."""
    found = LINK.split(text)
    plain = [(words, "") for words in found[::3]]
    links = [(words, address) for address, words in zip(found[1::3], found[2::3], strict=True)]
    return [piece for pair in zip(plain, [*links, ("", "")], strict=True) for piece in pair if piece[0]]


def _when(me: Viewer, instant: Any) -> str:
    return moment_words(datetime.fromtimestamp(float(instant), UTC), me.zone, me.lang) if instant else ""


def notices_part() -> str:
    """The bell and its list alone, for the page that refreshes itself."""
    return render_template("portal/notices_part.html", notices=bell(viewer()))


def notices_seen() -> tuple[str, int]:
    """The viewer opened the list: nothing in it is new any more."""
    me = viewer()
    with me.world.lock:
        for note in me.portal.notices:
            if note.get("user_id") == me.user.id:
                note["read"] = True
    me.world.touch()
    return "", 204


def refused(error: Exception) -> tuple[str, int]:
    """403: the portal's page about missing rights; a plain answer for its own scripts."""
    return _instead("no_access", "admins_only", "lock", 403)


def missing(error: Exception) -> tuple[str, int]:
    """404, in the portal's words when somebody is there to read them."""
    return _instead("not_found", "not_found_hint", "box", 404)


def _instead(heading: str, text: str, picture: str, status: int) -> tuple[str, int]:
    if "viewer" not in g or request.path.startswith("/_"):
        return f"<h1>{status}</h1>", status
    me = viewer()
    page = render_template("portal/standin.html", heading=me.t(heading), text=me.t(text), picture=picture, **context())
    return page, status
