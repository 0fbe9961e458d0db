"""Outgoing events: what there is, who is told, and how it is delivered.

``emit`` puts one message per bound handler into ``world.outbox``; ``deliver_due`` (tests) or the ``Courier`` thread
posts them, form-encoded, every value a string, and never again. Facts: "api-reference/events" of the documentation.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import requests

from emulator import oauth, phpform
from emulator.state import LOG_LENGTH, AppCard, Json, Portal, World

log = logging.getLogger(__name__)

HOPS = 7  # a token that came with an event may cause this many further rounds
POST_TIMEOUT_S = 5.0
APPLICATION_EVENTS = (
    "ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUNINSTALL", "ONAPPPAYMENT", "ONAPPTEST", "ONAPPMETHODCONFIRM",
    "ONSUBSCRIPTIONRENEW", "ONOFFLINEEVENT",
)  # fmt: skip
VERBS = ("ADD", "UPDATE", "DELETE")
SCOPE_EVENTS: dict[str, tuple[str, ...]] = {
    "user": ("ONUSERADD",),
    "calendar": (
        "ONCALENDARENTRYADD", "ONCALENDARENTRYUPDATE", "ONCALENDARENTRYDELETE",
        "ONCALENDARSECTIONADD", "ONCALENDARSECTIONUPDATE", "ONCALENDARSECTIONDELETE",
    ),
    "crm": (
        *(f"ONCRM{kind}{verb}" for kind in ("LEAD", "DEAL", "CONTACT", "COMPANY") for verb in VERBS),
        "ONCRMDEALMOVETOCATEGORY",
        "ONCRMTYPEADD", "ONCRMTYPEUPDATE", "ONCRMTYPEDELETE",
        "ONCRMDYNAMICITEMADD", "ONCRMDYNAMICITEMUPDATE", "ONCRMDYNAMICITEMDELETE",
        *(f"ONCRM{kind}USERFIELD{verb}" for kind in ("LEAD", "DEAL", "CONTACT", "COMPANY", "TYPE")
          for verb in (*VERBS, "SETENUMVALUES")),
    ),
}  # fmt: skip
WITH_REFRESH = ("ONAPPINSTALL", "ONAPPUPDATE", "ONAPPTEST", "ONSUBSCRIPTIONRENEW", "ONOFFLINEEVENT")
WITHOUT_TOKENS = ("ONAPPUNINSTALL", "ONAPPPAYMENT", "ONAPPMETHODCONFIRM")


def available(portal: Portal, scopes: Any) -> list[str]:
    """The names an application with these scopes may bind, per type of smart process too."""
    names = list(APPLICATION_EVENTS)
    for scope, events in SCOPE_EVENTS.items():
        if scope in scopes:
            names += events
    if "crm" in scopes:
        names += [
            f"ONCRMDYNAMICITEM{verb}_{kind['entityTypeId']}"
            for kind in portal.types.values()
            for verb in ("ADD", "UPDATE", "DELETE")
        ]
    return names


def emit(portal: Portal, name: str, data: Json, user_id: int = 0, hops: int | None = None, *, only: str = "") -> None:
    """Queue an event for every handler bound to it.

    Nothing is sent to an application that is not installed completely, switched off, or unpaid (ONAPPPAYMENT itself
    is). ``user_id`` is who caused it (0: a robot or import, no tokens); ``only`` limits it to one ``client_id``.
    """
    if hops is not None and hops <= 0:
        return
    for handler in [h for h in portal.event_handlers if h["event"] == name and not h["offline"]]:
        card = portal.apps.get(handler["client_id"])
        if card is not None and (not only or card.client_id == only) and _listens(card, name):
            queue(portal, card, handler["id"], handler["handler"], name, data, handler["auth_type"] or user_id, hops)


def _listens(card: AppCard, name: str) -> bool:
    return card.installed and card.active and (not card.payment_expired or name == "ONAPPPAYMENT")


def queue(
    portal: Portal,
    card: AppCard,
    handler_id: int,
    url: str,
    name: str,
    data: Json,
    user_id: int,
    hops: int | None = None,
) -> None:
    """Put one message for one address into the outbox, as often as the knobs say (lost: never, doubled: twice)."""
    world, now = portal.world, portal.world.now()
    if world.random.random() < world.knobs.event_loss:
        return
    body = {
        "event": name,
        "event_handler_id": str(handler_id),
        "data": phpform.strings(data),
        "ts": str(int(now)),
        "auth": _auth(portal, card, name, user_id, now, hops),
    }
    for _ in range(world.knobs.event_copies):
        world.outbox.append(
            {
                "id": world.next_id("event"),
                "due": now + world.knobs.event_delay_s,
                "url": url,
                "event": name,
                "body": body,
            }
        )
    world.touch()
    world.outbox_filled.set()


def _auth(portal: Portal, card: AppCard, name: str, user_id: int, now: float, hops: int | None) -> Json:
    world = portal.world
    secret = "0" * 32 if world.knobs.wrong_application_token else card.application_token
    always = {
        "domain": portal.host,
        "client_endpoint": portal.client_endpoint,
        "server_endpoint": world.server_endpoint,
        "member_id": portal.member_id,
        "application_token": secret,
    }
    user = portal.user(user_id)
    if user is None or name in WITHOUT_TOKENS or not world.knobs.event_tokens:
        return always
    left = HOPS if hops is None else hops - 1
    token = oauth.issue(portal, user, card, now, hops=None if name in WITH_REFRESH else left)
    auth = {
        "access_token": token.access,
        "expires": str(int(token.expires)),
        "expires_in": str(int(token.expires - now)),
        "scope": token.scope,
        "status": card.status,
        "user_id": str(user.id),
        **always,
    }
    if name in WITH_REFRESH or name.startswith("ONCALENDAR"):
        auth["refresh_token"] = token.refresh
    return auth


# Delivery -------------------------------------------------------------------------------------------------------


def http_post(url: str, pairs: list[tuple[str, str]]) -> int:
    """POST a form and return the status; raises requests' errors."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(url, data=pairs, timeout=POST_TIMEOUT_S, allow_redirects=False, headers=HEADERS)
    return answer.status_code


HEADERS = {"User-Agent": "Bitrix24 Webhook Engine"}


def deliver_due(world: World, *, everything: bool = False) -> int:
    """Send what is due (or everything that waits) and return how many were tried. An event is never resent."""
    with world.lock:
        now = world.now()
        due = [entry for entry in world.outbox if everything or entry["due"] <= now]
        taken = {entry["id"] for entry in due}
        world.outbox[:] = [entry for entry in world.outbox if entry["id"] not in taken]
        if world.knobs.event_shuffle:
            world.random.shuffle(due)
    for entry in due:
        _send(world, entry)
    return len(due)


def _send(world: World, entry: Json) -> None:
    outcome: Json = {"status": None, "error": None}
    try:
        outcome["status"] = (world.post or http_post)(entry["url"], phpform.encode(entry["body"]))
    except requests.RequestException as error:
        outcome["error"] = type(error).__name__
        log.warning("event %s to %s is lost: %s", entry["event"], entry["url"], error)
    with world.lock:
        world.sent.append({**entry, "at": world.now(), **outcome})
        del world.sent[:-LOG_LENGTH]
    world.touch()


class Courier:
    """A background thread that delivers the outbox of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="emulator-courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.world.outbox_filled.set()
        self._thread.join(timeout=POST_TIMEOUT_S + 1)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.world.outbox_filled.wait(self._pause())
            self.world.outbox_filled.clear()
            deliver_due(self.world)

    def _pause(self) -> float | None:
        with self.world.lock:
            dues = [entry["due"] for entry in self.world.outbox]
        return max(0.01, min(dues) - self.world.now()) if dues else None
