"""What the portal's own script asks the portal for: to open an application's frame, and what its messages need.

These addresses stand in for the platform's ajax pages; only a viewer of the portal (his cookie) may call them, so an
application's frame, which is on another site, cannot.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import abort, jsonify, render_template, request
from werkzeug.wrappers import Response

from emulator import oauth, placement
from emulator.pages.records import item_url, title_of, visible_items
from emulator.pages.viewer import Viewer, viewer
from emulator.state import AppCard, Json

REFUSALS = {"not_installed": "box", "no_access": "lock", "payment": "lock", "app_gone": "box"}
FRAME_WORDS = ("refresh_failed", "messenger", "select_user", "select_access", "select_crm")
# What selectCRM calls a kind, with the prefix of its ids and its entityTypeId.
CRM_KINDS = {"deal": ("D", 2), "contact": ("C", 3), "company": ("CO", 4)}
CHOICES = 500


def layout(card: AppCard, *, code: str = "DEFAULT", row: Json | None = None, **more: Any) -> Json:
    """What a page puts into its box for an application: what to open when the box is shown.

    ``options`` are the placement's own keys, ``mode`` is "page", "tab" or "slider"; ``uri`` replaces the address of
    the page where the portal opens a slider by a request of the page below it.
    """
    handler = row["handler"] if row else ""
    return {"app_id": card.id, "placement": code, "handler": handler, "options": {}, "mode": "page", "uri": "", **more}


def open_frame() -> Response:
    """The form to post into a frame with its init data, or the portal's page that stands in for it."""
    me, asked = viewer(), _body()
    card = card_by_id(me, int(asked.get("app_id", 0)))
    if card is None:
        return jsonify(html=_standin(me, "app_gone"))
    code, handler = str(asked.get("placement", "DEFAULT")), str(asked.get("handler", ""))
    reason = placement.refusal(me.portal, me.user, card, code)
    form = placement.frame_form(
        me.portal, me.user, card, code, asked.get("options") or {}, asked.get("uri") or _page_uri(me), me.now, handler
    )
    if form is None:
        return jsonify(html=_standin(me, reason))
    return jsonify(
        app_id=card.id,
        client_id=card.client_id,
        title=card.title,
        mode=asked.get("mode", "page"),
        form={
            "url": form.url,
            "fields": form.fields,
            "name": form.name,
            "app_sid": form.app_sid,
            "app_origin": form.app_origin,
        },
        init=placement.init_data(me.portal, me.user, card, form),
        words={word: me.t(word) for word in FRAME_WORDS},
    )


def refresh() -> Response:
    """A rotated pair for a frame of this viewer; 400 when it cannot be refreshed any more."""
    me, asked = viewer(), _body()
    old = oauth.by_refresh(me.world, str(asked.get("refresh_id", "")))
    if old is None or old.user_id != me.user.id or old.client_id != asked.get("client_id"):
        abort(400)
    fresh = oauth.refresh_frame(me.portal, old.refresh, me.now)
    if fresh is None:
        abort(400)
    return jsonify(fresh)


def install_finish() -> Response:
    """The frame said that its installer is done."""
    me = viewer()
    return jsonify(done=placement.finish_install(me.portal, me.user, _card(me), me.now))


def user_option() -> Response:
    """Keep an option of this user in this application."""
    me, asked = viewer(), _body()
    card = _card(me)
    with me.world.lock:
        kept = me.portal.user_options.setdefault(f"{card.client_id}:{me.user.id}", {})
        kept[str(asked["name"])] = asked.get("value")
    me.world.touch()
    return jsonify(kept)


def app_option() -> Response:
    """Keep an option of the application and answer all of them; administrators only."""
    me, asked = viewer(), _body()
    card = _card(me)
    if not me.user.is_admin:
        abort(403)
    with me.world.lock:
        kept = me.portal.app_options.setdefault(card.client_id, {})
        kept[str(asked["name"])] = asked.get("value")
    me.world.touch()
    return jsonify(kept)


def list_users() -> Response:
    """The employees for the selectUser dialog."""
    portal = viewer().portal
    return jsonify(
        [
            {
                "id": str(user.id),
                "name": user.full_name,
                "photo": user.photo,
                "position": user.position,
                "sub": False,
                "sup": False,
                "url": f"/company/personal/user/{user.id}/",
            }
            for user in portal.users.values()
            if user.active
        ]
    )


def list_access() -> Response:
    """Access codes for the selectAccess dialog: everybody, departments, employees."""
    me = viewer()
    departments = [
        {"id": f"DR{key}", "name": str(one.get("NAME", key)), "provider": "intranet", "desc": me.t("department")}
        for key, one in me.portal.departments.items()
    ]
    people = [{"id": f"U{u.id}", "name": u.full_name, "provider": "user", "desc": ""} for u in me.portal.users.values()]
    return jsonify(
        [{"id": "AU", "name": me.t("all_employees"), "provider": "other", "desc": ""}, *departments, *people]
    )


def list_crm() -> Response:
    """CRM items this viewer may see, for the selectCRM dialog."""
    me = viewer()
    kinds = [kind for kind in request.args.getlist("type") if kind in CRM_KINDS]
    return jsonify([one for kind in kinds for one in _crm_choices(me, kind)])


def _crm_choices(me: Viewer, kind: str) -> list[Json]:
    prefix, number = CRM_KINDS[kind]
    return [
        {
            "id": f"{prefix}_{item['id']}",
            "type": kind,
            "place": kind,
            "title": title_of(item),
            "desc": f"№ {item['id']}",
            "url": item_url(number, item["id"]),
        }
        for item in visible_items(me, number)[:CHOICES]
    ]


def card_by_id(me: Viewer, app_id: int) -> AppCard | None:
    return next((card for card in me.portal.apps.values() if card.id == app_id), None)


def _card(me: Viewer) -> AppCard:
    card = me.portal.apps.get(str(_body().get("client_id", "")))
    if card is None or not me.may_open(card):
        abort(404)
    return card


def _body() -> Json:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _page_uri(me: Viewer) -> str:
    """Path and query of the portal page that asks; nothing when it is no page of this portal."""
    parts = urlsplit(request.referrer or "")
    if parts.netloc != request.host:
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _standin(me: Viewer, reason: str) -> str:
    hint = me.t({"no_access": "no_access_app"}.get(reason, f"{reason}_hint")) if reason != "app_gone" else ""
    return render_template(
        "portal/_standin.html", heading=me.t(reason), text=hint, picture=REFUSALS[reason], framed=True
    )
