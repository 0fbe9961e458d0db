"""Who is calling: what a call of the portal claims, and what is proven of it.

Proof comes from the authorization server alone (https://apidocs.bitrix24.com/api-reference/events/safe-event-handlers.html).
Two round trips: `app.info` there, then one batch at the portal that it named, with the visitor's own token.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any, cast

from flask import current_app

from b24app.bitrix import oauth
from b24app.bitrix.client import BatchResult, Command
from b24app.bitrix.faults import (
    CallerRejected,
    PaymentRequired,
    PlanRefused,
    TokenDead,
    TokenExpired,
    VisitorTokenExpired,
)
from b24app.bitrix.hosts import HostRefused
from b24app.bitrix.loose import as_map, flag, text, whole
from b24app.bitrix.oauth import AppInfo
from b24app.errors import InstallationRevoked, NotAllowed, Rejected, Retryable
from b24app.ledger import tenancy
from b24app.ledger.access import codes_of
from b24app.ledger.session import transaction
from b24app.sync.cards import LONGEST_NAME
from b24app.web import crm
from b24app.web.crm import CardContext
from b24app.web.memory import Memory
from b24app.web.visit import now, services

CARD = re.compile(r"CRM_(DEAL|CONTACT|COMPANY|LEAD|DYNAMIC_\d{1,9})_[A-Z_]+")
ASKING_AT_ONCE = 8  # threads of a process
LONGEST_QUEUE = 2.0  # seconds
DOOR_TIMEOUT = (crm.CONNECT_SECONDS, 5.0)
REFUSED_FOR = timedelta(seconds=30)


class Closed(Exception):
    """The visitor does not come in. `reason`: see templates/frame/_closed.html; `detail`: a name he may be told."""

    def __init__(self, reason: str, status: int, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the portal knows this token's user as."""

    user_id: int
    is_admin: bool
    name: str
    time_zone: str
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What both round trips brought."""

    info: AppInfo
    auth_server: str
    person: Person
    card: CardContext | None
    unpaid: bool | None


def card_kind(place: str) -> str | None:
    """deal, contact, company, lead or dynamic_<entityTypeId> where the placement is in such a card; None elsewhere."""
    found = CARD.fullmatch(place)
    return found[1].lower() if found else None


def page_language(lang: str) -> str:
    """Russian for Russian portals, English for everybody else."""
    return "ru" if lang.lower().startswith("ru") else "en"


def auth_server(claimed: str | None) -> str:
    """The authorization server's base: the one named, if it is on our list, else the first of the list."""
    hosts, listed = services().hosts, services().settings.auth_servers[0]
    try:
        return hosts.check_auth_server(claimed or listed)
    except HostRefused:
        return hosts.check_auth_server(listed)


@dataclass(frozen=True, slots=True)
class Door:
    """What keeps strangers, who may send any token, from using up this process and the authorization server."""

    turns: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(ASKING_AT_ONCE))
    refused: Memory[tuple[str, int]] = field(default_factory=lambda: Memory(2000))


def _door() -> Door:
    return cast(Door, current_app.extensions.setdefault("b24_door", Door()))


def prove(server: str, token: str) -> AppInfo:
    """Whose token this is; of an application that we know. Raises Closed.

    A refusal is remembered for a moment, silence is not. Only a few ask at once, and not for long.
    """
    door, key = _door(), hashlib.sha256(f"{server} {token}".encode()).digest()
    if known := door.refused.get(key, now()):
        raise Closed(*known)
    if not door.turns.acquire(timeout=LONGEST_QUEUE):
        raise Closed("unavailable", 503)
    try:
        return _vouched(server, token)
    except Closed as closed:
        if closed.reason != "unavailable":
            door.refused.put(key, (closed.reason, closed.status), now() + REFUSED_FOR)
        raise
    finally:
        door.turns.release()


def _vouched(server: str, token: str) -> AppInfo:
    info = _asked(server, token)
    with transaction(services().engine) as tx:
        if tenancy.application(tx, info.client_id) is None:
            raise Closed("foreign", 403)
    return info


def _asked(server: str, token: str) -> AppInfo:
    try:
        return oauth.app_info(services().http, server, token, DOOR_TIMEOUT)
    except VisitorTokenExpired as error:
        raise Closed("expired", 401) from error
    except CallerRejected as error:
        raise Closed("not_verified", 401) from error
    except HostRefused as error:
        raise Closed("foreign", 403) from error
    except Retryable as error:
        raise Closed("unavailable", 503) from error


def look(
    info: AppInfo, token: str, place: str, entity_id: int | None
) -> tuple[Person, CardContext | None, bool | None]:
    """The person, the card that he opened, and whether the application is unpaid there, in one batch. Raises Closed."""
    kind = card_kind(place)
    commands = {"profile": Command("profile"), "user": Command("user.current"), "app": Command("app.info")}
    if kind and entity_id:
        commands |= crm.card_commands(kind, entity_id)
    answers = _answers(info, token, commands)
    person = _person(info, answers)
    card = crm.card_of(kind, entity_id, answers) if kind and entity_id else None
    app = as_map(answers.results.get("app"))
    return person, card, flag(app["PAYMENT_EXPIRED"]) if "PAYMENT_EXPIRED" in app else None


def _answers(info: AppInfo, token: str, commands: dict[str, Command]) -> BatchResult:
    with transaction(services().engine) as tx:
        known = tenancy.portal_by_member(tx, info.install.member_id)
    try:
        return crm.client_of(known.id if known else None, info.install.client_endpoint, token).batch(commands)
    except PlanRefused as error:
        raise Closed("plan", 402) from error
    except PaymentRequired as error:
        raise Closed("unpaid", 402) from error
    except (CallerRejected, TokenExpired) as error:
        raise Closed("expired", 401) from error
    except (TokenDead, InstallationRevoked, HostRefused, Rejected) as error:
        raise Closed("not_verified", 401) from error
    except Retryable as error:
        raise Closed("unavailable", 503) from error


def _person(info: AppInfo, answers: BatchResult) -> Person:
    unknown = answers.errors.get("user")
    if isinstance(unknown, Retryable):  # taken for a no, it would make an employee a stranger for an hour
        raise unknown
    profile, user = as_map(answers.results.get("profile")), as_map(answers.results.get("user"))
    if whole(profile.get("ID")) != info.user_id:
        raise Closed("not_verified", 401)
    name = " ".join(filter(None, (text(profile.get(part)) for part in ("NAME", "LAST_NAME"))))
    return Person(
        user_id=info.user_id,
        is_admin=profile.get("ADMIN") is True,
        name=name[:LONGEST_NAME] or f"№ {info.user_id}",
        time_zone=str(profile.get("TIME_ZONE") or user.get("TIME_ZONE") or ""),
        codes=_codes(info.user_id, user),
    )


def _codes(user_id: int, user: dict[str, Any]) -> frozenset[str]:
    """His access codes. Only who is said to be an employee is one: by his type, or where there is none, a department.

    Guests of the extranet, bots and whoever the portal does not tell us of have nothing but a code of their own.
    """
    departments = [one for one in map(whole, as_map(user.get("UF_DEPARTMENT")).values()) if one]
    kind = user.get("USER_TYPE")
    employed = kind == "employee" if kind else bool(departments)
    return codes_of(user_id, departments) if employed else frozenset({f"U{user_id}"})


def see(server: str, token: str, place: str, entity_id: int | None) -> Seen:
    """Both round trips for one token; the card is refused with Closed, like everything else."""
    info = prove(server, token)
    try:
        person, card, unpaid = look(info, token, place, entity_id)
    except NotAllowed as error:
        raise Closed("card", 403, error.action) from error
    except Retryable as error:
        raise Closed("unavailable", 503) from error
    return Seen(info, server, person, card, unpaid)
