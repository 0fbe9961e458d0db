"""``python -m emulator --port 8024``: a portal on http://localhost:<port>, its authorization server on 127.0.0.1."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path

from emulator import apps, portals
from emulator.app import create_emulator
from emulator.seed import Hosts, demo_world
from emulator.server import Running
from emulator.state import AppCard, Portal, World
from emulator.storage import Keeper, read
from emulator.transport import free_port

MANIFEST = Path(__file__).resolve().parent.parent / "app.manifest.json"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8024)
    parser.add_argument("--host", default="localhost", help="name of the portal in browsers")
    parser.add_argument(
        "--auth-host", default="127.0.0.1", help="name of the authorization server; another than --host"
    )
    parser.add_argument("--state", type=Path, help="file that keeps the portal between starts")
    parser.add_argument("--portals", type=int, default=0, help="so many more, each on a loopback address of its own")
    parser.add_argument("--seed", type=int, help="lets everything random come again as it came")
    parser.add_argument("--profile", choices=("plain", "cloud"), help="delays and limits")
    parser.add_argument(
        "--app-url", default="http://127.0.0.1:8000", help="where the local application of a new portal is"
    )
    return parser.parse_args(arguments)


def opened_world(options: argparse.Namespace, hosts: Hosts) -> World:
    """The kept world when there is one, otherwise the demo company; hosts are those of this start."""
    kept = options.state is not None and options.state.exists()
    world = read(options.state) if kept else fresh_world(options, hosts)
    world.auth_host, world.portal.host = hosts.auth, hosts.portal
    if not kept:
        portals.many(world, options.portals, portals.loopback(options.port), hosts.protocol)
    if options.seed is not None:
        world.seed(options.seed)
    if options.profile:
        world.knobs.change({"profile": options.profile})
    return world


def fresh_world(options: argparse.Namespace, hosts: Hosts) -> World:
    """The demo company with the card of our application."""
    world = demo_world(time.time(), hosts)
    add_application(world.portal, options.app_url)
    return world


def add_application(portal: Portal, app_url: str) -> AppCard:
    """A card of a local application, filled in from its manifest."""
    base = app_url.rstrip("/")
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    titles = manifest["title"]
    return apps.add_card(
        portal,
        apps.CardForm(
            title=titles.get(portal.lang) or titles["en"],
            handler_url=base + manifest["handlers"]["main"],
            installer_url=base + manifest["handlers"]["installer"],
            scopes=[*manifest["scopes"], *manifest.get("optional_scopes", ())],
        ),
    )


def announce(world: World) -> None:
    """Print what a client needs to call these portals."""
    for portal in world.portals.values():
        print(f"portal           {portal.origin}{portal.path}/")
    portal = world.portal
    print(f"authorization    {world.auth_origin}/oauth/token/")
    for secret, hook in portal.webhooks.items():
        print(f"inbound webhook  {portal.origin}/rest/{hook['user_id']}/{secret}/")
    for card in portal.apps.values():
        print(f"application      {card.title}: client_id {card.client_id} client_secret {card.client_secret}")
    print(f"control          {portal.origin}/_knobs  {portal.origin}/_state/calls", flush=True)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    options.port = options.port or free_port()
    hosts = Hosts(f"{options.host}:{options.port}", f"{options.auth_host}:{options.port}")
    world = opened_world(options, hosts)
    emulator = create_emulator(world, fresh=lambda: fresh_world(options, hosts))
    keeper = Keeper(world, options.state) if options.state else None
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    # Every address of this machine, when the portals have several; the server answers loopback clients only.
    with Running(emulator, options.port, "0.0.0.0" if len(world.portals) > 1 else "127.0.0.1"):
        if keeper:
            keeper.start()
        announce(world)
        ended.wait()
    if keeper:
        keeper.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
