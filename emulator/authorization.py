"""The addresses of the authorization server: ``/oauth/authorize/``, ``/oauth/token/`` and its own ``app.info``.

Codes and statuses of refusals are those of "oauth/error-codes" of the documentation and of the official SDKs.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, jsonify, redirect, request

from emulator import faults, phpform
from emulator.errors import RestError
from emulator.oauth import by_refresh, current_user, issue, live_token, new_code, rotate
from emulator.state import AppCard, Json, Portal, Token, User, World

blueprint = Blueprint("oauth", __name__)


@blueprint.route("/oauth/authorize/", methods=["GET"])
def authorize() -> Response:
    """The portal's consent step: back to the application's own address with a code that lives half a minute.

    ``redirect_uri`` is not used by the platform, and errors stay on the portal's page.
    """
    world: World = current_app.emulator.world  # type: ignore[attr-defined]
    portal = world.portal_by_host(request.host)
    card = portal.apps.get(request.args.get("client_id", "")) if portal else None
    if portal is None or card is None:
        return Response("<h1>Application not found</h1>", 404, mimetype="text/html")
    user = current_user(portal, request)
    if user is None:
        return Response("<h1>Log in to the portal first</h1>", 401, mimetype="text/html")
    query = {
        "code": new_code(portal, user, card, world.now()),
        "state": request.args.get("state", ""),
        "domain": portal.host,
        "member_id": portal.member_id,
        "scope": ",".join(card.scopes),
        "server_domain": portal.auth_host or world.auth_host,
    }
    joint = "&" if "?" in card.handler_url else "?"
    return redirect(card.handler_url + joint + urlencode(query))  # type: ignore[return-value]


@blueprint.route("/oauth/token/", methods=["GET", "POST"])
@blueprint.route("/oauth/token", methods=["GET", "POST"])
def token_endpoint() -> Response:
    """Both grants, by query or form. Only the authorization server answers, never a portal's own host."""
    world: World = current_app.emulator.world  # type: ignore[attr-defined]
    if world.portal_by_host(request.host) and not world.is_auth_host(request.host):
        return Response("<h1>404 Not Found</h1>", 404, mimetype="text/html")
    params = phpform.request_params(request)
    return faults.around(world, "oauth/token", lambda: _answer(world, params))


def _answer(world: World, params: Json) -> Response:
    now = world.now()
    entry = {"at": now, "method": "oauth/token", "grant_type": params.get("grant_type"), "status": 200, "error": None}
    try:
        with world.lock:
            body = grant(world, params, now)
        status = 200
    except RestError as error:
        body, status = error.body(), error.status
        entry |= {"status": status, "error": error.code}
    entry |= {"user_id": body.get("user_id"), "member_id": body.get("member_id")}
    with world.lock:
        world.auth.calls.append(entry)
        del world.auth.calls[:-500]
    world.touch()
    answer = jsonify(body)
    answer.status_code = status
    return answer


def grant(world: World, params: Json, now: float) -> Json:
    """The answer of the token address; raises RestError with the documented codes and statuses."""
    kind = params.get("grant_type")
    if kind not in ("authorization_code", "refresh_token"):
        raise RestError("invalid_request", "An invalid request was sent to the authorization server")
    _check_client(world, params)
    token, portal, user, card = (_by_code if kind == "authorization_code" else _by_refresh)(world, params, now)
    asked = set(filter(None, str(params.get("scope", "")).replace(" ", ",").split(",")))
    if asked - set(card.scopes):
        raise RestError("invalid_scope", "The requested scope exceeds the scope of the application", 403)
    if card.payment_expired:
        raise RestError("PAYMENT_REQUIRED", "Payment required", 401)
    fresh = rotate(world, token, portal, user, card, now) if token else issue(portal, user, card, now)
    return _token_answer(world, portal, card, fresh, now)


def _check_client(world: World, params: Json) -> None:
    client = world.auth.clients.get(str(params.get("client_id", "")))
    if client is None:
        # Documented by the SDKs' tests: an unknown client is an error body under HTTP 200.
        raise RestError("wrong_client", "Wrong client", 200)
    if client["secret"] != params.get("client_secret"):
        raise RestError("invalid_client", "Invalid client data")


Granted = tuple[Token | None, Portal, User, AppCard]


def _by_code(world: World, params: Json, now: float) -> Granted:
    code = world.auth.codes.pop(str(_needed(params, "code")), None)
    if code is None or code["expires"] < now or code["client_id"] != params["client_id"]:
        raise RestError("invalid_grant", "Authorization code is invalid or expired")
    return (None, *_installation(world, code["member_id"], code["client_id"], code["user_id"]))


def _by_refresh(world: World, params: Json, now: float) -> Granted:
    token = by_refresh(world, str(_needed(params, "refresh_token")))
    if token is None or token.refresh_expires < now or token.client_id != params["client_id"]:
        raise RestError("invalid_grant", "Refresh token is invalid or expired")
    return (token, *_installation(world, token.member_id, token.client_id, token.user_id))


def _needed(params: Json, name: str) -> Any:
    if not params.get(name):
        raise RestError("invalid_request", f"Parameter {name} is required")
    return params[name]


def _installation(world: World, member_id: str, client_id: str, user_id: int) -> tuple[Portal, User, AppCard]:
    portal = world.portals.get(member_id)
    if portal is None or portal.deleted:
        raise RestError("PORTAL_DELETED", "Portal was deleted", 500)
    card = portal.apps.get(client_id)
    if card is None:
        raise RestError("NOT_INSTALLED", "Application not installed", 401)
    user = portal.user(user_id)
    if user is None or not user.active:
        raise RestError("invalid_grant", "The user is not active any more")
    return portal, user, card


def _token_answer(world: World, portal: Portal, card: AppCard, token: Token, now: float) -> Json:
    return {
        "access_token": token.access,
        "refresh_token": token.refresh,
        "expires": int(token.expires),
        "expires_in": int(token.expires - now),
        "scope": token.scope,
        "domain": portal.auth_host or world.auth_host,  # the authorization server, not the portal
        "server_endpoint": portal.server_endpoint,
        "status": card.status,
        "client_endpoint": portal.client_endpoint,
        "member_id": portal.member_id,
        "user_id": token.user_id,
    }


def server_app_info(world: World, access: str, now: float) -> Json:
    """``app.info`` of the authorization server, by which an application verifies who calls it."""
    token = live_token(world, access, now)
    portal, _, card = _installation(world, token.member_id, token.client_id, token.user_id)
    return {
        "client_id": card.client_id,
        "scope": token.scope,
        "expires": portal.iso(token.expires),
        "install": {
            "installed": card.installed,
            "version": str(card.version),
            "status": card.status,
            "scope": ",".join(card.scopes),
            "domain": portal.host,
            "uri": f"{portal.origin}{portal.path}/",
            "client_endpoint": portal.client_endpoint,
            "member_id": portal.member_id,
            "member_type": "crm",
        },
        "user_id": token.user_id,
    }
