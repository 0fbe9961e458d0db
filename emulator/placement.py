"""Where a portal shows applications: the methods ``placement.*``, and the form that opens a frame.

For the pages: ``widgets`` lists what to show at a place, ``frame_form`` gives the form that the page posts into the
frame (or None: show the page "not installed completely" / "no access", see ``refusal``), ``init_data`` answers the
frame's ``getInitData``, ``finish_install`` carries out ``setInstallFinish``. Facts: "api-reference/widgets" and
"settings/app-installation/installation-finish" of the documentation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from emulator import apps, oauth
from emulator.call import Call, integer, mapping, method, or_list, truth
from emulator.errors import RestError
from emulator.event_methods import check_url
from emulator.phpform import strings
from emulator.state import AppCard, Json, Portal, User, hex_id

CRM_CARDS = ("LEAD", "DEAL", "CONTACT", "COMPANY", "QUOTE", "SMART_INVOICE")
CRM_PLACES = (
    "DETAIL_TAB", "DETAIL_ACTIVITY", "DETAIL_TOOLBAR", "LIST_MENU", "LIST_TOOLBAR", "DOCUMENTGENERATOR_BUTTON",
)  # fmt: skip
TIMELINE_CARDS = ("LEAD", "DEAL", "QUOTE", "SMART_INVOICE")
SCOPE_PLACES: dict[str, tuple[str, ...]] = {
    "placement": ("LEFT_MENU", "REST_APP_URI", "PAGE_BACKGROUND_WORKER"),
    "calendar": ("CALENDAR_GRIDVIEW",),
    "user": ("USER_PROFILE_MENU", "USER_PROFILE_TOOLBAR"),
    "task": ("TASK_VIEW_TAB", "TASK_VIEW_SIDEBAR", "TASK_LIST_CONTEXT_MENU"),
    "crm": (
        *(f"CRM_{kind}_{place}" for kind in CRM_CARDS for place in CRM_PLACES),
        *(f"CRM_{kind}_ACTIVITY_TIMELINE_MENU" for kind in TIMELINE_CARDS),
        "CRM_FUNNELS_TOOLBAR", "CRM_ANALYTICS_MENU", "CRM_ANALYTICS_TOOLBAR", "CRM_DETAIL_SEARCH",
    ),
}  # fmt: skip
SINGLE = ("PAGE_BACKGROUND_WORKER", "REST_APP_URI")
OPTIONS: dict[str, tuple[str, ...]] = {"PAGE_BACKGROUND_WORKER": ("errorHandlerUrl",)}
DETAIL_ACTIVITY_OPTIONS = ("useBuiltInInterface", "newUserNotificationTitle", "newUserNotificationText")


def codes(portal: Portal, scopes: Any) -> list[str]:
    """The places an application with these scopes may bind, with those of every smart process."""
    found = [code for scope, places in SCOPE_PLACES.items() if scope in scopes for code in places]
    if "crm" in scopes:
        dynamic = [f"DYNAMIC_{kind['entityTypeId']}" for kind in portal.types.values()]
        found += [f"CRM_{kind}_{place}" for kind in dynamic for place in (*CRM_PLACES, "ACTIVITY_TIMELINE_MENU")]
    return found


# Opening a frame ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrameForm:
    """A form to be posted into an iframe: ``fields`` to ``url``, the iframe's ``name``, and what its messages need."""

    url: str
    fields: dict[str, str]
    name: str
    app_origin: str
    app_sid: str
    placement: str
    options: Json
    install: bool


def widgets(portal: Portal, user: User, code: str) -> list[Json]:
    """What is bound to a place and shown to this user: ``{"card", "row", "title"}`` per handler.

    Nothing of an application is shown to anybody before its installation is complete.
    """
    rows = [row for row in portal.placements if row["placement"] == code and row["userId"] in (0, user.id)]
    found = [(portal.apps[row["client_id"]], row) for row in rows if row["client_id"] in portal.apps]
    return [
        {"card": card, "row": row, "title": widget_title(card, row, user.lang)}
        for card, row in found
        if card.installed and card.active and user.id not in card.denied_users
    ]


def widget_title(card: AppCard, row: Json, lang: str) -> str:
    texts = mapping(row["langAll"])
    return (texts.get(lang) or texts.get("en") or {}).get("TITLE") or row["title"] or card.title


def refusal(portal: Portal, user: User, card: AppCard, placement: str = "DEFAULT") -> str:
    """Why the portal shows a page of its own instead of the application: "", not_installed, no_access, payment."""
    if user.id in card.denied_users and placement != "USERFIELD_TYPE":
        return "no_access"
    if not card.installed and not user.is_admin:
        return "not_installed"
    return "payment" if card.payment_expired or not card.active else ""


def frame_form(
    portal: Portal,
    user: User,
    card: AppCard,
    placement: str = "DEFAULT",
    options: Json | None = None,
    referer_uri: str = "",
    now: float | None = None,
    handler: str = "",
) -> FrameForm | None:
    """The form that opens the application at a place, with fresh tokens; None when the portal does not open it.

    While the installation is not complete, an administrator gets the installer's address whatever he opened.
    ``handler`` names one of several handlers bound to the place; otherwise the first is taken.
    """
    if refusal(portal, user, card, placement):
        return None
    instant = portal.world.now() if now is None else now
    install = not card.installed
    url = card.installer_url if install else handler or _handler(portal, card, placement)
    given = {**strings(options or {}), **({"URI": referer_uri} if referer_uri else {})}
    sid = hex_id(32)
    fields = oauth.issue_frame(portal, user, card, instant)
    fields |= {"member_id": portal.member_id, "status": card.status, "PLACEMENT": placement}
    if given:
        fields["PLACEMENT_OPTIONS"] = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    protocol = "1" if portal.protocol == "https" else "0"
    query = {"DOMAIN": portal.host, "PROTOCOL": protocol, "LANG": lang_of(portal, user), "APP_SID": sid}
    parts = urlsplit(url)
    return FrameForm(
        url=url + ("&" if "?" in url else "?") + urlencode(query),
        fields=fields,
        name=f"{portal.host}|{protocol}|{sid}",
        app_origin=f"{parts.scheme}://{parts.netloc}",
        app_sid=sid,
        placement=placement,
        options=given,
        install=install,
    )


def _handler(portal: Portal, card: AppCard, placement: str) -> str:
    rows = [r for r in portal.placements if r["client_id"] == card.client_id and r["placement"] == placement]
    return str(rows[0]["handler"]) if rows else card.handler_url


def lang_of(portal: Portal, user: User) -> str:
    """The language a frame is opened in."""
    return portal.world.knobs.lang or user.lang or portal.lang


def init_data(portal: Portal, user: User, card: AppCard, form: FrameForm) -> Json:
    """What the portal's page answers to ``getInitData``; FIRST_RUN is true only the first time per user and version."""
    first = user.id not in card.first_run_seen
    if first:
        with portal.world.lock:
            card.first_run_seen.append(user.id)
        portal.world.touch()
    return {
        "LANG": lang_of(portal, user),
        "DOMAIN": portal.host,
        "PROTOCOL": 1 if portal.protocol == "https" else 0,
        "PATH": "/rest",
        "AUTH_ID": form.fields["AUTH_ID"],
        "AUTH_EXPIRES": form.fields["AUTH_EXPIRES"],
        "REFRESH_ID": form.fields["REFRESH_ID"],
        "MEMBER_ID": portal.member_id,
        "FIRST_RUN": first,
        "IS_ADMIN": user.is_admin,
        "INSTALL": form.install,
        "USER_OPTIONS": dict(portal.user_options.get(f"{card.client_id}:{user.id}", {})),
        "APP_OPTIONS": dict(portal.app_options.get(card.client_id, {})),
        "PLACEMENT": form.placement,
        "PLACEMENT_OPTIONS": form.options,
    }


def finish_install(portal: Portal, user: User, card: AppCard, now: float | None = None) -> bool:
    """Complete the installation (administrators only): INSTALLED=Y, then ONAPPINSTALL. False when refused."""
    with portal.world.lock:
        if not user.is_admin or card.installed:
            return False
        card.installed, card.installed_by = True, user.id
        apps.announce_install(portal, card, user.id)
    portal.world.touch()
    return True


# Methods --------------------------------------------------------------------------------------------------------


def _kept_options(code: str, given: Any) -> Json:
    names = DETAIL_ACTIVITY_OPTIONS if code.endswith("_DETAIL_ACTIVITY") else OPTIONS.get(code, ())
    return {key: value for key, value in mapping(given).items() if key in names}


@method("placement.bind", scope="placement", app_only=True)
def bind(call: Call) -> Any:
    call.require_admin()
    code, url = str(call.need("PLACEMENT")).upper(), check_url(call.need("HANDLER"))
    if code not in codes(call.portal, call.scopes):
        raise RestError("ERROR_PLACEMENT_NOT_FOUND", "Placement not found")
    user_id = integer(call.arg("USER_ID"), 0)
    _check_bind(call, code, url, user_id)
    langs = mapping(call.arg("LANG_ALL"))
    call.portal.placements.append(
        {
            "id": call.portal.next_id("placement"),
            "client_id": call.client_id,
            "placement": code,
            "userId": user_id,
            "handler": url,
            "options": _kept_options(code, call.arg("OPTIONS")),
            # With LANG_ALL the top-level texts are ignored.
            "title": "" if langs else str(call.arg("TITLE") or ""),
            "description": "" if langs else str(call.arg("DESCRIPTION") or ""),
            "groupName": "" if langs else str(call.arg("GROUP_NAME") or ""),
            "langAll": {lang: _texts(one) for lang, one in langs.items()},
        }
    )
    return True


def _check_bind(call: Call, code: str, url: str, user_id: int) -> None:
    if user_id and code != "PAGE_BACKGROUND_WORKER":
        raise RestError("ERROR_PLACEMENT_USER_MODE", "User mode is not available")
    if code == "PAGE_BACKGROUND_WORKER" and not _kept_options(code, call.arg("OPTIONS")).get("errorHandlerUrl"):
        raise RestError("EMPTY_ERROR_HANDLER_URL", "errorHandlerUrl is required", 200)
    mine = [r for r in call.portal.placements if r["client_id"] == call.client_id and r["placement"] == code]
    if any(row["handler"] == url and row["userId"] == user_id for row in mine):
        raise RestError("ERROR_CORE", "Unable to set placement handler: Handler already binded")
    if code in SINGLE and mine:
        raise RestError("ERROR_PLACEMENT_MAX_COUNT", "Placement handlers maximum has been reached")


def _texts(value: Any) -> Json:
    given = mapping(value)
    return {key: str(given.get(key) or "") for key in ("TITLE", "DESCRIPTION", "GROUP_NAME")}


@method("placement.unbind", scope="placement", app_only=True)
def unbind(call: Call) -> Any:
    call.require_admin()
    code, url = str(call.need("PLACEMENT")).upper(), call.arg("HANDLER")
    who = call.arg("USER_ID")
    gone = [
        row
        for row in call.portal.placements
        if row["client_id"] == call.client_id
        and row["placement"] == code
        and (not url or row["handler"] == url)
        and (who is None or row["userId"] == integer(who, 0))
    ]
    call.portal.placements = [row for row in call.portal.placements if row not in gone]
    # A documented quirk: what was found and what was deleted are counted together.
    return {"count": 2 * len(gone)}


@method("placement.get", scope="placement", app_only=True)
def get(call: Call) -> Any:
    call.require_admin()
    return [
        {
            "placement": row["placement"],
            "userId": row["userId"],
            "handler": row["handler"],
            "options": or_list(row["options"]),
            "title": row["title"],
            "description": row["description"],
            "langAll": or_list(row["langAll"]),
        }
        for row in call.portal.placements
        if row["client_id"] == call.client_id
    ]


@method("placement.list", scope="placement", app_only=True)
def places(call: Call) -> Any:
    if truth(call.arg("FULL")):
        return codes(call.portal, SCOPE_PLACES)
    scope = call.arg("SCOPE")
    return codes(call.portal, {scope} & set(call.scopes) if scope else call.scopes)
