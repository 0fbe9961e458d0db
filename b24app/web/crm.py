"""The CRM through the visitor's own eyes: his token, his rights, nothing of it kept.

The page sends the SDK's token beside our bearer; it counts only when the authorization server says that it is the
same person in the same portal.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from flask import current_app, request

from b24app.bitrix import oauth
from b24app.bitrix.client import BatchResult, Command, FixedToken, PortalClient
from b24app.bitrix.faults import CallerRejected
from b24app.bitrix.loose import as_map, text, whole
from b24app.bitrix.throttle import LocalThrottle, Throttles
from b24app.booking.clients import ClientData
from b24app.errors import InvalidInput, NotAllowed, Rejected
from b24app.ledger import tenancy
from b24app.ledger.session import transaction
from b24app.web.memory import Memory
from b24app.web.visit import current_tenant, current_visit, now, services

TOKEN_HEADER = "X-B24-Token"  # noqa: S105 — the name of a header
CONNECT_SECONDS = 5.0
ENTITY_TYPES = {"deal": 2, "contact": 3, "company": 4}
REMEMBERED = timedelta(minutes=5)
LONGEST_NAME = 200

LONGEST_WAIT = 3.0  # a person waits in front of the screen: better an honest "later" than a queue
_tokens: Memory[str] = Memory(2000)
_cards: Memory[CardContext] = Memory(2000)


@dataclass(frozen=True, slots=True)
class CardContext:
    """The card that a person opened or named, read with his own token. `kind`: deal, contact or company."""

    kind: str
    id: int
    title: str
    client: ClientData | None = None


def forget_everything() -> None:
    """Drops what this process remembers of tokens and cards."""
    _tokens.clear()
    _cards.clear()


def timeout() -> tuple[float, float]:
    """Seconds to connect and to wait for the portal while a person waits for us."""
    return (CONNECT_SECONDS, services().settings.portal_timeout_seconds)


def client_of(member_id: str, endpoint: str, token: str) -> PortalClient:
    """A portal through one visitor's token."""
    return PortalClient(
        services().http, endpoint, FixedToken(token), throttle=_throttles().of(member_id), timeout=timeout()
    )


def _throttles() -> Throttles:
    """The limits of all portals, as the pages of this process use them up."""
    made = current_app.extensions.setdefault("b24_throttles", Throttles(_throttle))
    return cast(Throttles, made)


def _throttle() -> LocalThrottle:
    return LocalThrottle(time.time, time.sleep, max_wait=LONGEST_WAIT)


def crm() -> PortalClient:
    """The portal with the visitor's own token; raises NotAllowed("portal_token") without one that is his."""
    token = request.headers.get(TOKEN_HEADER, "")
    if not 0 < len(token) <= 500:
        raise NotAllowed("portal_token")
    return client_of(current_visit().member_id, _endpoint_of(token), token)


def _endpoint_of(token: str) -> str:
    """The REST address that this token is good for, asked for once in five minutes."""
    visit = current_visit()
    key = (visit.portal_id, visit.viewer.user_id, hashlib.sha256(token.encode()).digest())
    known = _tokens.get(key, now())
    if known is None:
        info = _verified(token)
        known = info.install.client_endpoint
        _tokens.put(key, known, _until(info.expires_at))
    return known


def _until(expires_at: datetime | None) -> datetime:
    limit = now() + REMEMBERED
    return min(limit, expires_at) if expires_at else limit


def _verified(token: str) -> oauth.AppInfo:
    visit = current_visit()
    with transaction(services().engine) as tx:
        tenant = current_tenant(tx)
        client_id = tenancy.application_of(tx, tenant.installation).client_id
    try:
        info = oauth.app_info(services().http, tenant.portal.server_endpoint, token, timeout())
    except CallerRejected as error:
        raise NotAllowed("portal_token") from error
    if (info.install.member_id, info.user_id, info.client_id) != (visit.member_id, visit.viewer.user_id, client_id):
        raise NotAllowed("portal_token")
    return info


def read_card(kind: str, entity_id: int) -> CardContext:
    """The deal, contact or company, if he may see it; raises NotAllowed("card"), InvalidInput for another kind.

    A yes is remembered for five minutes, a no is not: rights that were just given count at once.
    """
    if kind not in ENTITY_TYPES or entity_id <= 0:
        raise InvalidInput({f"{kind}_id": "forged"})
    visit = current_visit()
    key = (visit.portal_id, visit.viewer.user_id, kind, entity_id)
    card = _cards.get(key, now())
    if card is None:
        card = card_of(kind, entity_id, crm().batch(card_commands(kind, entity_id)))
        _cards.put(key, card, now() + REMEMBERED)
    return card


def card_commands(kind: str, entity_id: int) -> dict[str, Command]:
    """The commands that read a card and, of a deal, its client, in one batch."""
    commands = {"card": _get(ENTITY_TYPES[kind], entity_id)}
    if kind == "deal":
        commands["contact"] = _get(3, "$result[card][item][contactId]")
        commands["company"] = _get(4, "$result[card][item][companyId]")
    return commands


def _get(entity_type_id: int, entity_id: int | str) -> Command:
    return Command("crm.item.get", {"entityTypeId": entity_type_id, "id": entity_id}, references=True)


def card_of(kind: str, entity_id: int, answers: BatchResult) -> CardContext:
    """The card out of the answers to `card_commands`; raises NotAllowed("card") when the CRM does not show it."""
    if "card" not in answers.results:
        error = answers.errors.get("card")
        if error is not None and not isinstance(error, Rejected):
            raise error
        raise NotAllowed("card")
    item = _item(answers, "card")
    client = _client_of_deal(item, answers) if kind == "deal" else client_from_item(kind, item)
    return CardContext(kind, entity_id, _title(kind, item), client)


def _item(answers: BatchResult, key: str) -> Mapping[str, Any]:
    return as_map(as_map(answers.results.get(key)).get("item"))


def _client_of_deal(deal: Mapping[str, Any], answers: BatchResult) -> ClientData | None:
    """The deal's contact, or else its company; only what this visitor may read, and only what the deal names."""
    for kind in ("contact", "company"):
        item = _item(answers, kind)
        if whole(deal.get(f"{kind}Id")) and whole(item.get("id")) == whole(deal.get(f"{kind}Id")):
            return client_from_item(kind, item)
    return None


def client_from_item(kind: str, item: Mapping[str, Any]) -> ClientData | None:
    """The client that a contact or company is, with the first phone and e-mail."""
    crm_id = whole(item.get("id"))
    if crm_id is None:
        return None
    return ClientData(
        kind=kind,
        name=_title(kind, item),
        phone=_first(item, "PHONE", "phone"),
        email=_first(item, "EMAIL", "email"),
        crm_id=crm_id,
    )


def _title(kind: str, item: Mapping[str, Any]) -> str:
    parts = ("name", "lastName") if kind == "contact" else ("title",)
    name = " ".join(filter(None, (text(item.get(part)) for part in parts)))
    return (name or f"№ {item.get('id')}")[:LONGEST_NAME]


def _first(item: Mapping[str, Any], type_id: str, alias: str) -> str:
    rows = (as_map(row) for row in as_map(item.get("fm")).values())
    values = [text(row.get("value")) for row in rows if row.get("typeId") == type_id]
    return (next(filter(None, values), "") or text(item.get(alias)))[:LONGEST_NAME]
