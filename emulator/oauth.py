"""Pairs of tokens: issued, rotated, revoked. The addresses of the authorization server are in ``authorization.py``.

For the pages: ``issue_frame`` gives the token fields of a frame's form, ``refresh_frame`` answers the frame's
``refreshAuth`` message. Facts: "oauth/index" and "oauth/simple-way" of the REST documentation.
"""

from __future__ import annotations

from flask import Request

from emulator.errors import RestError
from emulator.state import AppCard, Json, Portal, Token, User, World, hex_id

USER_COOKIE = "portal_user"  # whom the visitor of the portal's pages has chosen to be


def issue(
    portal: Portal, user: User, card: AppCard, now: float, kind: str = "server", hops: int | None = None
) -> Token:
    """A fresh pair for a user of an application; kept by the authorization server."""
    world = portal.world
    token = Token(
        access=hex_id(70),
        refresh=hex_id(70),
        client_id=card.client_id,
        member_id=portal.member_id,
        user_id=user.id,
        scope=",".join(card.scopes),
        expires=now + world.knobs.access_ttl_s,
        refresh_expires=now + world.knobs.refresh_ttl_s,
        kind=kind,
        hops=hops,
    )
    with world.lock:
        _forget_old(world, now)
        world.auth.tokens[token.access] = token
        world.auth.by_refresh[token.refresh] = token.access
    world.touch()
    return token


def _forget_old(world: World, now: float) -> None:
    """Drop access-only leftovers now and then, so that a long demo does not grow its file without end."""
    if len(world.auth.tokens) % 1000 != 999:
        return
    dead = [t for t in world.auth.tokens.values() if t.expires < now - 3600 and (t.revoked or not t.refresh)]
    for token in dead:
        world.auth.tokens.pop(token.access, None)
        world.auth.by_refresh.pop(token.refresh, None)


def issue_frame(portal: Portal, user: User, card: AppCard, now: float) -> dict[str, str]:
    """The token fields of a frame's form; empty tokens for a user without access to the application.

    Older portals (a knob) do not send the last three.
    """
    token = None if user.id in card.denied_users else issue(portal, user, card, now, kind="frame")
    fields = {
        "AUTH_ID": token.access if token else "",
        "AUTH_EXPIRES": str(int(token.expires - now)) if token else "",
        "REFRESH_ID": token.refresh if token else "",
    }
    if not portal.world.knobs.old_portal:
        fields["SERVER_ENDPOINT"] = portal.server_endpoint
        fields["APPLICATION_TOKEN"] = card.application_token
        fields["APPLICATION_SCOPE"] = ",".join(card.scopes)
    return fields


def refresh_frame(portal: Portal, refresh_id: str, now: float) -> Json | None:
    """What the portal answers to ``refreshAuth``; None when that pair cannot be refreshed any more."""
    with portal.world.lock:
        token = by_refresh(portal.world, refresh_id)
        card = portal.apps.get(token.client_id) if token else None
        user = portal.user(token.user_id) if token else None
        if token is None or card is None or user is None or not user.active or token.refresh_expires < now:
            return None
        fresh = rotate(portal.world, token, portal, user, card, now)
    return {"AUTH_ID": fresh.access, "AUTH_EXPIRES": int(fresh.expires - now), "REFRESH_ID": fresh.refresh}


def by_refresh(world: World, refresh: str) -> Token | None:
    """The live pair that this refresh token belongs to."""
    token = world.auth.tokens.get(world.auth.by_refresh.get(refresh, ""))
    return token if token and not token.revoked else None


def rotate(world: World, old: Token, portal: Portal, user: User, card: AppCard, now: float) -> Token:
    """Replace a pair. The old refresh token is dead at once; the old access token lives until it expires.

    With the knob ``token_family`` "one", every other pair of that user and application dies too.
    """
    world.auth.by_refresh.pop(old.refresh, None)
    old.refresh = ""
    if world.knobs.token_family == "one":
        for token in _pairs(world, portal.member_id, card.client_id):
            if token.user_id == user.id and token is not old:
                _revoke(world, token)
    return issue(portal, user, card, now, kind=old.kind)


def _pairs(world: World, member_id: str, client_id: str) -> list[Token]:
    return [t for t in world.auth.tokens.values() if t.member_id == member_id and t.client_id == client_id]


def _revoke(world: World, token: Token) -> None:
    world.auth.by_refresh.pop(token.refresh, None)
    token.refresh, token.revoked = "", True


def revoke_all(portal: Portal, card: AppCard) -> None:
    """Every token of an application in a portal becomes invalid, as after uninstalling."""
    for token in _pairs(portal.world, portal.member_id, card.client_id):
        _revoke(portal.world, token)


def expire_tokens(portal: Portal, user_id: int | None = None) -> int:
    """Make the access tokens of a portal (of one user) look an hour old; returns how many."""
    now = portal.world.now()
    tokens = [t for t in portal.world.auth.tokens.values() if t.member_id == portal.member_id]
    aged = [t for t in tokens if user_id in (None, t.user_id) and t.expires > now]
    for token in aged:
        token.expires = now - 1
    return len(aged)


def current_user(portal: Portal, asked: Request) -> User | None:
    """Whom the visitor of the portal's pages has chosen to be; None before he has chosen."""
    chosen = asked.cookies.get(USER_COOKIE, "")
    return portal.user(int(chosen)) if chosen.isdigit() else None


def new_code(portal: Portal, user: User, card: AppCard, now: float) -> str:
    """A one-time code for the authorization-code grant."""
    code = hex_id(70)
    with portal.world.lock:
        portal.world.auth.codes[code] = {
            "client_id": card.client_id,
            "member_id": portal.member_id,
            "user_id": user.id,
            "expires": now + portal.world.knobs.code_ttl_s,
        }
    return code


def live_token(world: World, access: str, now: float) -> Token:
    """The token a caller presented; raises NO_AUTH_FOUND or expired_token."""
    token = world.auth.tokens.get(access)
    if token is None or token.revoked:
        raise RestError("NO_AUTH_FOUND", "Wrong authorization data", 401)
    if token.expires < now:
        raise RestError("expired_token", "The access token provided has expired.", 401)
    return token
