"""The portal opens us: a form posted into its frame becomes a verified visit and a page.

Every later request of the page goes to /app/… with the bearer that is made here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, make_response, request
from flask.typing import ResponseReturnValue

from b24app.bitrix.payload import BadPayload, PlacementCall
from b24app.ledger import tenancy
from b24app.ledger.access import GrantRule
from b24app.ledger.session import transaction
from b24app.ledger.tenancy import Tenant
from b24app.sync.manifest import manifest
from b24app.web import bearer, caller, crm, entry, look_as, pages
from b24app.web.caller import Closed, Seen
from b24app.web.closed import closed_fragment, closed_page
from b24app.web.crm import CardContext
from b24app.web.entry import Pair
from b24app.web.install import render_installer
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("frame", __name__)

GUARDED = ("/app/", "/install/steps/")
RENEW = "/app/renew"
HOST = re.compile(r"[a-z0-9.-]{1,253}(:[0-9]{1,5})?")  # it ends in a header
RENEWABLE = timedelta(days=1)  # a laptop that slept overnight wakes with its page; the portal's token decides anyway
PLACES = sorted({manifest().main, *(placement.handler for placement in manifest().placements)})


def _pages() -> None:
    for path in PLACES:
        blueprint.add_url_rule(path, "opened", opened, methods=["POST"])
        blueprint.add_url_rule(path, "bare", bare, methods=["GET"])
    blueprint.add_url_rule(manifest().installer, "installer", opened, methods=["POST"])
    blueprint.add_url_rule(manifest().installer, "bare_installer", bare, methods=["GET"])


def bare() -> ResponseReturnValue:
    """A page without the portal's form: a reloaded frame, a copied address, the market's HEAD."""
    _claimed_frame()
    return closed_page("open_again", 200)


def opened() -> ResponseReturnValue:
    """The portal's form: a place, the main page or the installer."""
    _claimed_frame()
    try:
        call = PlacementCall.parse(request.args, request.form)
        return _entered(call)
    except BadPayload as error:
        return closed_page("malformed", 400, error.field)
    except Closed as closed:
        return closed_page(closed.reason, closed.status, closed.detail)


@blueprint.post("/b24/again")
def opened_again() -> ResponseReturnValue:
    """The same place once more, or the installer, asked for by our own page; all is verified again."""
    try:
        old = bearer.read(request.form.get("bearer", ""))
        g.language, pair = old.language, Pair(request.form.get("token", "")[:500], "", entry.LONGEST_VISIT)
        tenant, _ = _living(old)
        tenant, visit, seen = _again(old, tenant, pair)
    except bearer.BadBearer:
        return closed_page("open_again", 401)
    except Closed as closed:
        return closed_page(closed.reason, closed.status, closed.detail)
    g.visit, g.frame_origin = visit, _origin(seen)
    if request.form.get("where") == "installer" and visit.viewer.is_admin:
        return render_installer(tenant, visit)
    return make_response(pages.render_place(visit, seen.card))


def _again(old: Visit, tenant: Tenant, pair: Pair) -> tuple[Tenant, Visit, Seen]:
    """The visit that follows `old`: the same person, place and installation, all verified anew. Raises Closed."""
    server = caller.auth_server(tenant.portal.server_endpoint)
    seen = caller.see(server, pair.access_token, old.place, old.entity_id)
    if (seen.info.install.member_id, seen.person.user_id) != (old.member_id, old.viewer.user_id):
        raise Closed("foreign", 403)
    tenant, viewer = entry.enter(seen, pair, old.language, None, begins=False)
    visit = entry.visit_of(tenant, viewer, seen, old.place, old.entity_id, old.language, pair.expires_in)
    return tenant, visit, seen


def _claimed_frame() -> None:
    """Until proof, our answers are the same for everybody: they may be framed by whoever the form names."""
    g.language = caller.page_language(request.args.get("LANG", "ru"))
    scheme = "http" if request.args.get("PROTOCOL") == "0" else "https"
    domain = request.args.get("DOMAIN", "").lower()
    if HOST.fullmatch(domain):
        g.frame_origin = f"{scheme}://{domain}"


def _entered(call: PlacementCall) -> ResponseReturnValue:
    seen = _seen(call)
    pair = Pair(call.access_token, call.refresh_token, call.expires_in)
    tenant, viewer = entry.enter(
        seen,
        pair,
        caller.page_language(call.lang),
        call.application_token,
        begins=True,
        installing=request.path == manifest().installer,
    )
    visit = entry.visit_of(tenant, viewer, seen, call.placement, call.entity_id, call.lang, call.expires_in)
    g.visit, g.frame_origin = visit, _origin(seen)
    return _page(tenant, visit, seen.card, call)


def _seen(call: PlacementCall) -> Seen:
    """Everything that is known of the visitor; raises Closed where a claim is not true."""
    if not call.access_token:
        raise Closed("no_access", 403)
    server = caller.auth_server(call.server_endpoint)
    seen = caller.see(server, call.access_token, call.placement, call.entity_id)
    if seen.info.install.member_id != call.member_id or _host(seen.info.install.domain) != _host(call.domain):
        raise Closed("foreign", 403)
    return seen


def _host(domain: str) -> str:
    return domain.lower().removesuffix(":443").removesuffix(":80")


def _origin(seen: Seen) -> str:
    """Scheme and host of the portal, out of the address that was proven."""
    parts = urlsplit(seen.info.install.client_endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def _page(tenant: Tenant, visit: Visit, card: CardContext | None, call: PlacementCall) -> ResponseReturnValue:
    if tenant.installation.state == "new":
        if not visit.viewer.is_admin:
            raise Closed("not_ready", 200)
        return render_installer(tenant, visit)
    if request.path == manifest().installer and visit.viewer.is_admin:
        return render_installer(tenant, visit)
    if caller.card_kind(call.placement) and card is None:
        raise Closed("unsaved", 200)
    return make_response(pages.render_place(visit, card))


# Every later request ------------------------------------------------------------------------------------------------


@blueprint.before_app_request
def guard() -> ResponseReturnValue | None:
    """Lets requests of pages pass with a bearer of ours, for as long as the application is installed."""
    if not request.path.startswith(GUARDED):
        return None
    try:
        visit = _bearer()
    except bearer.BadBearer:
        return closed_fragment("open_again", 401)
    g.visit = visit
    try:
        g.tenant, grants = _living(visit)
    except Closed as closed:
        return closed_fragment(closed.reason, closed.status)
    g.visit = replace(visit, viewer=replace(visit.viewer, grants=grants))
    if request.path != RENEW:
        look_as.put_on()
    return None


def _living(visit: Visit) -> tuple[Tenant, tuple[GrantRule, ...]]:
    """The tenant with the visitor's grants; raises Closed when the visit belongs to an installation that has ended,
    or to somebody who works there no more."""
    found = tenancy.seen(services().engine, visit.portal_id, visit.viewer.codes, now())
    if found is None or found.tenant.portal.member_id != visit.member_id:
        raise Closed("removed", 410)
    if found.tenant.installation.id != visit.installation_id:
        raise Closed("open_again", 401)
    if found.dismissed:
        raise Closed("no_access", 401)
    return found.tenant, found.grants


def _bearer() -> Visit:
    """The visit that came with this request; raises BadBearer, also for one that has run out."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    visit = bearer.read(text if scheme == "Bearer" else "")
    extra = RENEWABLE if request.path == RENEW else timedelta()
    if visit.expires_at + extra <= now():
        raise bearer.BadBearer
    return visit


@blueprint.post("/app/beat")
def beat() -> ResponseReturnValue:
    """A page is open: the worker hurries, and leaves the page's own tokens to it."""
    with transaction(services().engine) as tx:
        tenancy.frame_seen(tx, current_visit().portal_id, now())
    return "", 204


@blueprint.post(RENEW)
def renew() -> ResponseReturnValue:
    """A new bearer for a fresh token of the SDK; everything is verified anew, the card too.

    The form may bring `refresh_token` and `expires_in`: then an administrator's spare stays in step with his page.
    """
    old, token = current_visit(), request.headers.get(crm.TOKEN_HEADER, "")
    pair = Pair(token, request.form.get("refresh_token", "")[:500], _seconds(request.form.get("expires_in", "")))
    try:
        _, fresh, _ = _again(old, seen_tenant(), pair)
    except Closed as closed:
        return closed_fragment(closed.reason, closed.status)
    return {"bearer": bearer.issue(fresh), "expires_in": int((fresh.expires_at - now()).total_seconds())}


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else entry.LONGEST_VISIT


@blueprint.after_app_request
def secure(response: Response) -> Response:
    """Headers of every answer. Only the portal that was proven (or, for fixed pages, claimed) may frame a page."""
    frame = g.get("frame_origin", "")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _policy(frame)
        response.headers["Cache-Control"] = "no-store"
    return response


def _policy(frame: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {frame}".rstrip(),
            "font-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            f"frame-ancestors {frame or chr(39) + 'none' + chr(39)}",
        )
    )


_pages()
