"""Applications in the portal: the administrator's cards, and the pages that open an application."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import abort, jsonify, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from emulator import apps as cards
from emulator import phpform, placement
from emulator.pages.frames import card_by_id, layout
from emulator.pages.viewer import Viewer, admin, viewer
from emulator.state import AppCard, Json

SCOPES = (
    "crm",
    "userfieldconfig",
    "calendar",
    "placement",
    "user",
    "user_basic",
    "user_brief",
    "bizproc",
    "im",
    "task",
    "department",
    "booking",
)
# Parameters of a page that are the portal's own and never reach an application.
SYSTEM = {"install_finished", "from", "from_app", "page_title", "page_uri"}


def list_apps() -> str:
    return render_template("portal/app_list.html", cards=list(admin().portal.apps.values()))


def edit_app(app_id: int) -> str:
    """The card of an application, empty for a new one."""
    me = admin()
    card = card_by_id(me, app_id)
    if app_id and card is None:
        abort(404)
    return _card_page(me, card, _values(card), {})


def save_app(app_id: int) -> Response | str | tuple[str, int]:
    """Add an application or change its card. Answers JSON with the credentials to one who asks for JSON."""
    me = admin()
    card = card_by_id(me, app_id)
    if app_id and card is None:
        abort(404)
    values = _posted(request.form)
    errors = _errors(me, values)
    if errors:
        return _card_page(me, card, values, errors), 422
    card = _changed(me, card, values) if card else cards.add_card(me.portal, _new_card(values))
    if request.accept_mimetypes.best == "application/json":
        return jsonify(id=card.id, client_id=card.client_id, client_secret=card.client_secret, installed=card.installed)
    return redirect(url_for("pages.edit_app", app_id=card.id))


def remove_app(app_id: int) -> Response:
    """Uninstall; ``clean`` matters for applications of the Market only."""
    me = admin()
    card = card_by_id(me, app_id)
    if card is None:
        abort(404)
    cards.delete_card(me.portal, card, clean=bool(request.form.get("clean")))
    return redirect(url_for("pages.list_apps"))


def open_app(app_id: int) -> str:
    """The application's own page; posted to by openApplication, whose options come as a form."""
    me = viewer()
    card = card_by_id(me, app_id)
    if card is None:
        abort(404)
    sent = request.method == "POST"
    options = phpform.parse(request.form.items(multi=True)).get("PLACEMENT_OPTIONS", {}) if sent else _query_options()
    return _app_page(me, card, layout(card, options=options, mode=_mode(), uri=_opener_uri()))


def open_by_code(code: str) -> Response:
    """The deep link of an application: its market code, which is the client_id of a local one."""
    card = viewer().portal.apps.get(code)
    if card is None:
        abort(404)
    query = request.query_string.decode()
    return redirect(url_for("pages.open_app", app_id=card.id) + (f"?{query}" if query else ""))


def open_menu_page(app_id: int, row_id: int) -> str:
    """The page of a LEFT_MENU placement: a whole page, not a slider."""
    me = viewer()
    found = [one for one in placement.widgets(me.portal, me.user, "LEFT_MENU") if one["row"]["id"] == row_id]
    if not found:
        abort(404)
    box = layout(found[0]["card"], code="LEFT_MENU", row=found[0]["row"], mode=_mode())
    return _app_page(me, found[0]["card"], box, found[0]["title"])


def _app_page(me: Viewer, card: AppCard, box: Json, title: str = "") -> str:
    heading = request.form.get("page_title") or title or cards.menu_title(card, me.lang)
    return render_template("portal/app_page.html", heading=heading, layout=box)


def _mode() -> str:
    return "slider" if request.args.get("IFRAME") == "Y" else "page"


def _query_options() -> Json:
    """The GET parameters of the page; a deep link hands over only those inside ``params``."""
    given = phpform.parse_query(request.query_string.decode())
    return (
        given["params"]
        if isinstance(given.get("params"), dict)
        else {k: v for k, v in given.items() if k not in SYSTEM}
    )


def _opener_uri() -> str:
    """Where a slider was opened from, as the request for its content would have had it in its Referer."""
    uri = request.form.get("page_uri", "")
    return uri if uri.startswith("/") else ""


def _card_page(me: Viewer, card: AppCard | None, values: Json, errors: Json) -> str:
    mine = card.client_id if card else None
    return render_template(
        "portal/app_card.html",
        card=card,
        values=values,
        errors=errors,
        scopes=SCOPES,
        placements=[row for row in me.portal.placements if row["client_id"] == mine],
        handlers=[row for row in me.portal.event_handlers if row["client_id"] == mine],
    )


def _values(card: AppCard | None) -> Json:
    if card is None:
        empty = dict.fromkeys(("title", "menu_ru", "menu_en", "handler_url", "installer_url", "event_url"), "")
        return {**empty, "kind": "local", "scopes": []}
    return {
        "title": card.title,
        "menu_ru": card.menu_title.get("ru", ""),
        "menu_en": card.menu_title.get("en", ""),
        "handler_url": card.handler_url,
        "installer_url": card.installer_url,
        "event_url": card.event_url,
        "kind": card.kind,
        "scopes": card.scopes,
    }


def _posted(form: MultiDict[str, str]) -> Json:
    names = ("title", "menu_ru", "menu_en", "handler_url", "installer_url", "event_url")
    texts: Json = {name: form.get(name, "").strip() for name in names}
    asked = [scope for text in form.getlist("scopes") for scope in text.split(",")]
    return {**texts, "kind": "market" if form.get("kind") == "market" else "local", "scopes": [s for s in asked if s]}


def _errors(me: Viewer, values: Json) -> dict[str, str]:
    wrong = {} if values["title"] else {"title": me.t("need_title")}
    for name in ("handler_url", "installer_url", "event_url"):
        needed = name == "handler_url"
        if (values[name] or needed) and not _is_address(values[name]):
            wrong[name] = me.t("bad_address")
    return wrong


def _is_address(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _menu_title(values: Json) -> dict[str, str]:
    return {lang: values[f"menu_{lang}"] for lang in ("ru", "en") if values[f"menu_{lang}"]}


def _new_card(values: Json) -> cards.CardForm:
    kept: dict[str, Any] = {
        n: values[n] for n in ("title", "handler_url", "installer_url", "event_url", "kind", "scopes")
    }
    return cards.CardForm(menu_title=_menu_title(values), **kept)


def _changed(me: Viewer, card: AppCard, values: Json) -> AppCard:
    kept = {name: values[name] for name in ("title", "handler_url", "installer_url", "event_url", "scopes")}
    cards.edit_card(me.portal, card, menu_title=_menu_title(values), **kept)
    return card
