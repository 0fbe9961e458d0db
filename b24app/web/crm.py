"""The CRM through the visitor's own eyes: his token, his rights, nothing of it kept.

The page sends the SDK's token beside our bearer; it counts only when the authorization server says that it is the
same person in the same portal.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from flask import request

from b24app.bitrix import oauth
from b24app.bitrix.client import FixedToken, PortalClient
from b24app.bitrix.faults import CallerRejected
from b24app.bitrix.record import nowhere
from b24app.bitrix.throttle import LocalThrottle, Throttle
from b24app.errors import InvalidInput, NotAllowed
from b24app.ledger import tenancy
from b24app.ledger.session import transaction
from b24app.sync.card_context import CardContext, card_commands, card_of
from b24app.sync.cards import entity_type
from b24app.sync.throttles import PEOPLE, SharedThrottles
from b24app.web.memory import Memory
from b24app.web.visit import current_tenant, current_visit, now, services

TOKEN_HEADER = "X-B24-Token"  # noqa: S105 — the name of a header
CONNECT_SECONDS = 5.0
REMEMBERED = timedelta(minutes=5)
_tokens: Memory[str] = Memory(2000)
_cards: Memory[CardContext] = Memory(2000)


def forget_everything() -> None:
    """Drops what this process remembers of tokens and cards."""
    _tokens.clear()
    _cards.clear()


def timeout() -> tuple[float, float]:
    """Seconds to connect and to wait for the portal while a person waits for us."""
    return (CONNECT_SECONDS, services().settings.portal_timeout_seconds)


def client_of(
    portal_id: int | None,
    endpoint: str,
    token: str,
    patience: tuple[float, float] | None = None,
    moved_to: Callable[[str], str | None] = lambda token: None,
) -> PortalClient:
    """A portal through one visitor's token; `portal_id` is None for one that the ledger does not know yet.

    `patience`: seconds to connect and to wait, where they are fewer.
    """
    return PortalClient(
        services().http,
        endpoint,
        FixedToken(token),
        throttle=_throttle(portal_id),
        timeout=patience or timeout(),
        record=nowhere if portal_id is None else services().calls.of(portal_id),
        moved_to=moved_to,
    )


def _throttle(portal_id: int | None) -> Throttle:
    """The portal's limits, shared with the worker; on first contact there is nobody to share them with."""
    if portal_id is None:
        return LocalThrottle(time.time, time.sleep, max_wait=PEOPLE.patience)
    return SharedThrottles(services().engine, now, time.sleep, PEOPLE).of(portal_id)


def crm(patience: tuple[float, float] | None = None) -> PortalClient:
    """The portal with the visitor's own token; raises NotAllowed("portal_token") without one that is his, and
    NotAllowed("looking_crm") to who looks as somebody else: his own token would show more than that person sees."""
    if current_visit().watched_by is not None:
        raise NotAllowed("looking_crm")
    token = request.headers.get(TOKEN_HEADER, "")
    if not 0 < len(token) <= 500:
        raise NotAllowed("portal_token")
    ask = partial(_asked_endpoint, patience=patience or timeout())
    endpoint = _tokens.get(_key(token), now()) or ask(token)
    return client_of(current_visit().portal_id, endpoint, token, patience, ask)


def _asked_endpoint(token: str, patience: tuple[float, float]) -> str:
    """The REST address that this token is good for, asked for once in five minutes, or when it has moved."""
    info = _verified(token, patience)
    _tokens.put(_key(token), info.install.client_endpoint, _until(info.expires_at))
    return info.install.client_endpoint


def _key(token: str) -> tuple[int, int, bytes]:
    visit = current_visit()
    return visit.portal_id, visit.viewer.user_id, hashlib.sha256(token.encode()).digest()


def _until(expires_at: datetime | None) -> datetime:
    limit = now() + REMEMBERED
    return min(limit, expires_at) if expires_at else limit


def _verified(token: str, patience: tuple[float, float]) -> oauth.AppInfo:
    visit = current_visit()
    with transaction(services().engine) as tx:
        tenant = current_tenant(tx)
        client_id = tenancy.application_of(tx, tenant.installation).client_id
    try:
        info = oauth.app_info(services().http, tenant.portal.server_endpoint, token, patience)
    except CallerRejected as error:
        raise NotAllowed("portal_token") from error
    if (info.install.member_id, info.user_id, info.client_id) != (visit.member_id, visit.viewer.user_id, client_id):
        raise NotAllowed("portal_token")
    return info


def read_card(kind: str, entity_id: int) -> CardContext:
    """The card with its client, if he may see it; raises NotAllowed("card"), InvalidInput for an unknown kind.

    A yes is remembered for five minutes, a no is not: rights that were just given count at once.
    """
    if entity_type(kind) is None or entity_id <= 0:
        raise InvalidInput({f"{kind}_id": "forged"})
    visit = current_visit()
    if visit.watched_by is not None:
        raise NotAllowed("looking_crm")
    key = (visit.portal_id, visit.viewer.user_id, kind, entity_id)
    card = _cards.get(key, now())
    if card is None:
        card = card_of(kind, entity_id, crm().batch(card_commands(kind, entity_id)))
        _cards.put(key, card, now() + REMEMBERED)
    return card
