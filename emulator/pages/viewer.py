"""Who is looking at the portal: a cookie of the emulator alone, chosen on a page without a password.

Every page of the portal asks ``viewer()``; whoever has not chosen yet is sent to the chooser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import abort, current_app, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from emulator.call import REGISTER, Call, Page
from emulator.pages.words import translate
from emulator.state import AppCard, Portal, User, World

COOKIE = "portal_user"
LANGUAGES = {"ru": "Русский", "en": "English"}
OPEN_TO_ALL = {"pages.choose_user", "pages.become", "pages.static"}


@dataclass(frozen=True)
class Viewer:
    """An employee in front of a page; ``now`` is unix seconds."""

    world: World
    portal: Portal
    user: User
    now: float

    @property
    def lang(self) -> str:
        return "ru" if self.user.lang == "ru" else "en"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.user.time_zone)

    def t(self, key: str, **values: Any) -> str:
        """The portal's words in the viewer's language."""
        return translate(key, self.lang, **values)

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        """What a REST method answers with this person's rights; pages use it where the platform's page would share
        code with its REST. It costs no limit and leaves no line in the log. Raises RestError."""
        answer = self._answer(method, params)
        return answer.result if isinstance(answer, Page) else answer

    def _answer(self, method: str, params: Mapping[str, Any]) -> Any:
        scopes = frozenset(REGISTER[method].scope.replace("|", "+").split("+"))
        call = Call(self.world, self.portal, method, dict(params), self.user, None, scopes, self.now)
        with self.world.lock:
            return REGISTER[method].handler(call)

    def may_open(self, card: AppCard) -> bool:
        return card.active and self.user.id not in card.denied_users


def world() -> World:
    """The world of the running emulator."""
    kept: World = current_app.emulator.world  # type: ignore[attr-defined]
    return kept


def portal_here() -> Portal:
    """The portal whose host the browser addressed, else the first one."""
    return world().portal_by_host(request.host) or world().portal


def recognise() -> Response | None:
    """Before every page: find the viewer of the cookie, or send him to choose, at the portal's own address."""
    if request.endpoint in OPEN_TO_ALL:
        return None
    portal = portal_here()
    if request.method == "GET" and world().portal_by_host(request.host) is None:
        # An application on that host would be on the same site as the portal, which no real portal is.
        return redirect(portal.origin + request.full_path.rstrip("?"))
    user = portal.user(_number(request.cookies.get(COOKIE, "")))
    if user and user.active:
        g.viewer = Viewer(world(), portal, user, world().now())
        return None
    if request.method != "GET" or request.path.startswith("/_layout/"):
        abort(403)
    return redirect(url_for("pages.choose_user", back=request.full_path.rstrip("?")))


def viewer() -> Viewer:
    """The viewer of this request."""
    found: Viewer = g.viewer
    return found


def admin() -> Viewer:
    """The viewer, who must be an administrator; anybody else gets the portal's page about it."""
    if not viewer().user.is_admin:
        abort(403)
    return viewer()


def choose_user() -> str:
    """The page "who are you", in the language of the portal."""
    portal = portal_here()
    lang = "ru" if portal.lang == "ru" else "en"
    return render_template(
        "portal/choose.html",
        portal=portal,
        back=_local(request.args.get("back", "/")),
        lang=lang,
        t=lambda key, **values: translate(key, lang, **values),
        users=_choosable(portal),
    )


def become() -> Response:
    """Remember the choice in the cookie. Lax keeps it out of requests that an application's frame could make."""
    user = portal_here().user(_number(request.form.get("user", "")))
    if user is None or not user.active:
        abort(404)
    answer = redirect(_local(request.form.get("back", "/")))
    answer.set_cookie(COOKIE, str(user.id), httponly=True, samesite="Lax", max_age=365 * 86400)
    return answer


def change_language() -> Response:
    """Set the viewer's language, as he would in his profile."""
    me, wanted = viewer(), request.form.get("lang", "")
    if wanted not in LANGUAGES:
        abort(400)
    with me.world.lock:
        me.user.lang = wanted
    me.world.touch()
    return redirect(_local(request.form.get("back", "/")))


def _choosable(portal: Portal) -> list[User]:
    return [user for user in portal.users.values() if user.active and not user.extranet]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _local(address: str) -> str:
    """A path of this portal, whatever somebody wrote into ``back``."""
    parts = urlsplit(address)
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc
    return address if safe else "/"
