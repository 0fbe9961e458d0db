"""More portals in one world: on their own domains, self-hosted, renamed, silent, and hundreds of them.

All are served by one emulator, which tells them apart by host. ``seed.small_world`` makes the first one.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator import apps, lines, placement, seed
from emulator.apps import CardForm
from emulator.state import AppCard, Portal, World


def add(
    world: World,
    host: str,
    *,
    protocol: str = "https",
    title: str = "",
    path: str = "",
    self_hosted: bool = False,
    plan: str = "ru_pro100",
    auth_host: str = "",
) -> Portal:
    """One more portal with people, calendars and a funnel of deals, under any name and port.

    ``path`` is where it lives on its host ("/b24"), ``auth_host`` its own authorization server.
    """
    with world.lock:
        portal = seed.new_portal(world, world.now(), host, protocol, title or host)
        portal.path, portal.self_hosted, portal.plan, portal.auth_host = path, self_hosted, plan, auth_host
    world.touch()
    return portal


def on_own_domain(world: World, host: str = "crm.studio-sever.example") -> Portal:
    """A cloud portal that its owner has put on a domain of his own."""
    return add(world, host, title="Студия на своём домене")


def self_hosted(world: World, host: str = "portal.zavod.example:8443", path: str = "/b24") -> Portal:
    """A portal on somebody's own server: another port, a path, no limits."""
    return add(world, host, title="Завод «Восход»", path=path, self_hosted=True, plan="ru_selfhosted")


def many(
    world: World, count: int, host: Callable[[int], str] = lambda n: f"p{n:03}.bitrix24.test", protocol: str = "https"
) -> list[Portal]:
    """So many portals, numbered from 1."""
    return [add(world, host(number), protocol=protocol) for number in range(1, count + 1)]


def loopback(port: int) -> Callable[[int], str]:
    """Hosts for ``many`` over real HTTP: each portal has an address of its own on this machine."""
    return lambda number: f"127.7.{number // 250}.{number % 250 + 1}:{port}"


def install(portal: Portal, form: CardForm, user_id: int = seed.ADMIN) -> AppCard:
    """Add an application's card and finish its installation, as that administrator would."""
    card = apps.add_card(portal, form)
    placement.finish_install(portal, portal.users[user_id], card)
    return card


def fall_silent(portal: Portal) -> None:
    """From now on the portal accepts connections and never answers; control addresses still do."""
    portal.silent = True
    portal.world.touch()


def speak(portal: Portal) -> None:
    """Let the portal answer again; connections that hang are closed."""
    portal.silent = False
    lines.release(portal.world)
    portal.world.touch()
