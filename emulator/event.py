"""Outgoing events: what there is and who is told.

``emit`` puts one message per bound handler into ``world.outbox``, from where ``delivery.py`` posts it, or into the
queue of offline events. Facts: "api-reference/events" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator import oauth, offline, phpform
from emulator.delivery import TICKS, Courier, deliver_due, is_held
from emulator.state import AppCard, Json, Portal

__all__ = ["TICKS", "Courier", "auth_block", "available", "deliver_due", "emit", "enqueue", "queue"]

HOPS = 7  # a token that came with an event may cause this many further rounds
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
        *(f"ONCRMTIMELINECOMMENT{verb}" for verb in VERBS),
        "ONCRMTYPEADD", "ONCRMTYPEUPDATE", "ONCRMTYPEDELETE",
        *(f"ONCRMTIMELINECOMMENT{verb}" for verb in VERBS),
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
    for handler in [h for h in portal.event_handlers if h["event"] == name]:
        card = portal.apps.get(handler["client_id"])
        if card is None or (only and card.client_id != only) or not _listens(card, name):
            continue
        if handler["offline"]:
            _keep_offline(portal, handler, name, data, user_id)
        else:
            queue(portal, card, handler["id"], handler["handler"], name, data, handler["auth_type"] or user_id, hops)


def _keep_offline(portal: Portal, handler: Json, name: str, data: Json, user_id: int) -> None:
    """A row for the application to fetch, and the signal that there is one."""
    if offline.keep(portal, handler, name, data, user_id):
        emit(portal, "ONOFFLINEEVENT", {}, user_id, only=handler["client_id"])


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
    now = portal.world.now()
    body = {
        "event": name,
        "event_handler_id": str(handler_id),
        "data": phpform.strings(data),
        "ts": str(int(now)),
        "auth": auth_block(portal, card, name, user_id, now, hops),
    }
    enqueue(portal, url, name, body)


def enqueue(portal: Portal, url: str, name: str, body: Json) -> None:
    """Put a message as it will be posted into the outbox; the knobs of events lose, double, hold and delay it."""
    world = portal.world
    knobs = world.knobs
    # All four are drawn each time, so that turning one knob leaves the luck of the others as it was.
    lost, doubled, held, late = (world.random.random() for _ in range(4))
    if lost < knobs.event_loss:
        return
    row = {
        "due": world.now() + knobs.event_delay_s + late * knobs.event_jitter_s,
        "member_id": portal.member_id,
        "url": url,
        "event": name,
        "held": held < knobs.event_hold or is_held(world, portal.member_id, name),
        "body": body,
    }
    for _ in range(knobs.event_copies + (doubled < knobs.event_double)):
        world.outbox.append({"id": world.next_id("event"), **row})
    world.touch()
    world.outbox_filled.set()


def auth_block(portal: Portal, card: AppCard, name: str, user_id: int, now: float, hops: int | None) -> Json:
    """What a message tells about the portal, with a fresh token of the user where there is one to send."""
    world = portal.world
    secret = "0" * 32 if world.knobs.wrong_application_token else card.application_token
    always = {
        "domain": portal.host,
        "client_endpoint": portal.client_endpoint,
        "server_endpoint": portal.server_endpoint,
        "member_id": portal.member_id,
        "application_token": secret,
    }
    user = portal.user(user_id)
    if user is None or not user.active or name in WITHOUT_TOKENS or not world.knobs.event_tokens:
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
