"""Cards of applications and their life in a portal: added, installed, updated, paid, deleted.

For the pages: ``add_card``, ``edit_card``, ``update_version``, ``delete_card``, ``set_payment``; the end of an
installation is ``placement.finish_install``. Facts: "settings/app-installation", "app-uninstallation" and
"api-reference/common/events" of the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emulator import event, oauth
from emulator.state import AppCard, Json, Portal, hex_id


@dataclass
class CardForm:
    """What an administrator fills into a card. ``client`` is set only for a market application: (id, secret)."""

    title: str
    handler_url: str
    installer_url: str = ""
    event_url: str = ""
    scopes: list[str] = field(default_factory=list)
    menu_title: dict[str, str] = field(default_factory=dict)
    kind: str = "local"
    status: str = ""
    client: tuple[str, str] | None = None


def add_card(portal: Portal, form: CardForm) -> AppCard:
    """Add an application. A local one gets a client_id and secret of its own, every time anew.

    With an installer address it is not installed until ``finish_install``; without, it is at once.
    """
    prefix = "local" if form.kind == "local" else "app"
    client_id, secret = form.client or (
        f"{prefix}.{hex_id(14)}.{10000000 + portal.world.random.randrange(89999999)}",
        hex_id(50),
    )
    with portal.world.lock:
        card = AppCard(
            id=portal.next_id("app"),
            client_id=client_id,
            client_secret=secret,
            title=form.title,
            handler_url=form.handler_url,
            installer_url=form.installer_url,
            event_url=form.event_url,
            kind=form.kind,
            scopes=list(form.scopes),
            installed=not form.installer_url,
            status=form.status or ("L" if form.kind == "local" else "F"),
            application_token=hex_id(32),
            menu_title=dict(form.menu_title),
        )
        portal.apps[client_id] = card
        portal.world.auth.clients[client_id] = {"secret": secret, "kind": form.kind}
        if card.installed and not card.handler_url:
            announce_install(portal, card, next((user.id for user in portal.admins()), 0))
    portal.world.touch()
    return card


def edit_card(portal: Portal, card: AppCard, **changes: Any) -> None:
    """Change fields of a card (addresses, scopes, titles); tokens issued before keep their old scope."""
    with portal.world.lock:
        for name, value in changes.items():
            setattr(card, name, value)
    portal.world.touch()


def announce_install(portal: Portal, card: AppCard, user_id: int) -> None:
    """ONAPPINSTALL to every handler bound so far, and to the card's own event address."""
    data = {"VERSION": str(card.version), "ACTIVE": "Y", "INSTALLED": "Y", "LANGUAGE_ID": portal.lang}
    _tell(portal, card, "ONAPPINSTALL", data, user_id)


def _tell(portal: Portal, card: AppCard, name: str, data: Json, user_id: int = 0) -> None:
    event.emit(portal, name, data, user_id, only=card.client_id)
    if card.event_url:
        event.queue(portal, card, 0, card.event_url, name, data, user_id)


def update_version(
    portal: Portal, card: AppCard, user_id: int, *, new_token: bool = False, keep_bindings: bool = False
) -> None:
    """A new version of a market application: ONAPPUPDATE, then its installer has to run (and bind) again.

    The documentation says that bindings go with an update, older code keeps them: ``keep_bindings``.
    """
    with portal.world.lock:
        previous, card.version = card.version, card.version + 1
        if new_token:
            card.application_token = hex_id(32)
        data = {"VERSION": str(card.version), "PREVIOUS_VERSION": str(previous), "LANGUAGE_ID": portal.lang}
        _tell(portal, card, "ONAPPUPDATE", data, user_id)
        if not keep_bindings:
            _drop_bindings(portal, card)
        card.installed = not card.installer_url
        card.first_run_seen.clear()
    portal.world.touch()


def _drop_bindings(portal: Portal, card: AppCard) -> None:
    portal.event_handlers = [row for row in portal.event_handlers if row["client_id"] != card.client_id]
    portal.placements = [row for row in portal.placements if row["client_id"] != card.client_id]
    # Robots placed on stages stay there, blocked until their code is registered again.
    portal.robots = [row for row in portal.robots if row["client_id"] != card.client_id]
    portal.triggers = [row for row in portal.triggers if row["client_id"] != card.client_id]


def delete_card(portal: Portal, card: AppCard, clean: bool = True) -> None:
    """Uninstall. The event is queued first, then handlers, placements and tokens go; a local one is always cleaned.

    What the application made in CRM and calendars stays.
    """
    clean = clean or card.kind == "local"
    with portal.world.lock:
        if card.installed:
            _tell(portal, card, "ONAPPUNINSTALL", {"LANGUAGE_ID": portal.lang, "CLEAN": "1" if clean else "0"})
        _drop_bindings(portal, card)
        oauth.revoke_all(portal, card)
        if clean:
            _drop_options(portal, card)
        del portal.apps[card.client_id]
        if card.kind == "local":
            portal.world.auth.clients.pop(card.client_id, None)
    portal.world.touch()


def _drop_options(portal: Portal, card: AppCard) -> None:
    portal.app_options.pop(card.client_id, None)
    for key in [key for key in portal.user_options if key.startswith(card.client_id + ":")]:
        del portal.user_options[key]


def set_payment(portal: Portal, card: AppCard, *, status: str, expired: bool, days: int | None = None) -> None:
    """Change what an application's payment looks like, and tell it by ONAPPPAYMENT."""
    with portal.world.lock:
        card.status, card.payment_expired, card.days = status, expired, days
        data = {
            "CODE": card.client_id,
            "VERSION": str(card.version),
            "STATUS": status,
            "PAYMENT_EXPIRED": "Y" if expired else "N",
            "DAYS": "" if days is None else str(days),
            "LANGUAGE_ID": portal.lang,
        }
        _tell(portal, card, "ONAPPPAYMENT", data)
    portal.world.touch()


def menu_title(card: AppCard, lang: str) -> str:
    """The name of the application's own menu item in a language."""
    return card.menu_title.get(lang) or card.menu_title.get("en") or card.title
