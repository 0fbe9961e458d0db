"""A real Chromium inside the emulated portal: two sites (localhost and 127.0.0.1), third-party cookies blocked.

Portal and application run in threads of the test, the worker as a process of its own, on one database for all tests
of this folder. Each test books on a resource of its own, so that none sees another's bookings; lists and boards show
those of the other tests as well.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    BrowserContext,
    Error,
    FloatRect,
    FrameLocator,
    Locator,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from sqlalchemy import update
from sqlalchemy.orm import Session
from werkzeug.serving import WSGIRequestHandler, make_server

from b24app.app import create_app
from b24app.ledger import tenancy
from b24app.ledger.models import Portal, PortalUser, Resource
from b24app.ledger.session import Engine, transaction
from emulator.app import create_emulator
from emulator.guide import install_like_a_person
from emulator.seed import Hosts, small_world
from emulator.server import Running
from emulator.state import Portal as EmulatedPortal
from emulator.state import World
from emulator.transport import free_port
from tests import database, factories
from tests.conftest import TOKEN_KEY, make_settings
from tests.prove import servers
from tests.stand import ADMIN, MANAGER

CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
BLOCK_THIRD_PARTY_COOKIES = {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}}
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)
_serial = itertools.count(1)


class Quiet(WSGIRequestHandler):
    """Says nothing about each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


@dataclass
class Site:
    """The running demo in small: addresses, the emulator's world, the ledger."""

    portal_url: str
    app_url: str
    world: World
    engine: Engine

    @property
    def portal(self) -> EmulatedPortal:
        return self.world.portal

    def tenant(self, tx: Session) -> Portal:
        (portal,) = tenancy.portals(tx)
        return portal

    def resource(self, **values: Any) -> Resource:
        """A new resource with a name of its own, always open."""
        values.setdefault("name", f"Зал {next(_serial)}")
        with transaction(self.engine) as tx:
            return factories.make_resource(tx, self.tenant(tx), now=datetime.now(UTC), **values)


@pytest.fixture(scope="package")
def site(database_server: str, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests that need no particular company."""
    with standing(database_server, database_template, tmp_path_factory.mktemp("browser")) as made:
        yield made


@contextmanager
def standing(server: str, template: str, folder: Path, *, installed: bool = True) -> Iterator[Site]:
    """Portal, application and worker, installed by an administrator; otherwise only its card is filled in."""
    portal_port, app_port = free_port(), free_port()
    auth, app_url = f"http://127.0.0.1:{portal_port}", f"http://127.0.0.1:{app_port}"
    hosts = Hosts(f"localhost:{portal_port}", f"127.0.0.1:{portal_port}", "http")
    emulator = create_emulator(small_world(time.time(), hosts))
    with database.cloned(server, template) as url, Running(emulator, portal_port):
        settings = make_settings(
            url, folder, app_url=app_url, auth_servers=(auth,), allow_http=True, allow_private=True
        )  # fmt: skip
        app = create_app(settings)
        engine = app.extensions["b24"].engine
        web = make_server("127.0.0.1", app_port, app, threaded=True, request_handler=Quiet)
        serving = threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        made = Site(f"http://localhost:{portal_port}", app_url, emulator.world, engine)
        install_like_a_person(
            made.portal_url, app_url, lambda *words: _command(engine, *words), run_installer=installed
        )
        with _worker(url, auth, app_url):
            yield made
        web.shutdown()
        web.server_close()
        serving.join()
        app.extensions["b24"].calls.flush()
        app.extensions["b24"].http.close()
        engine.dispose()


DRAWN_ANEW = 5  # times at most
LOADED = "() => document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done()))"


def _command(engine: Engine, *words: str) -> str:
    """`flask application add CLIENT_ID --secret SECRET --kind KIND`, in this process."""
    _, _, client_id, _, secret, _, kind = words
    with transaction(engine) as tx:
        tenancy.add_application(tx, client_id, secret, kind)
    return ""


class _worker:  # noqa: N801 — a context manager
    """The worker as a process of its own."""

    def __init__(self, url: str, auth: str, app_url: str) -> None:
        self._env = servers.environment(url, TOKEN_KEY, AUTH_SERVERS=auth, APP_URL=app_url)

    def __enter__(self) -> None:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
        self._process = subprocess.Popen(command, cwd=servers.ROOT, env=self._env)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


# Ended with this folder: while it runs, its event loop is in the way of everything else that needs one.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def context(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """One Chromium that blocks third-party cookies, as people's browsers do."""
    profile = tmp_path_factory.mktemp("chromium")
    preferences = profile / "Default" / "Preferences"
    preferences.parent.mkdir()
    preferences.write_text(json.dumps(BLOCK_THIRD_PARTY_COOKIES))
    made = playwright.chromium.launch_persistent_context(
        profile, executable_path=CHROMIUM, args=FLAGS, headless=True, viewport={"width": 1280, "height": 900},
        locale="ru-RU", timezone_id="Europe/Moscow",
    )  # fmt: skip
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


class Visitor:
    """Somebody of the portal at a browser."""

    def __init__(self, site: Site, page: Page) -> None:
        self.site, self.page = site, page

    @property
    def frame(self) -> FrameLocator:
        """Our pages inside of the portal's."""
        return self.page.frame_locator(f'iframe[src^="{self.site.app_url}"], iframe[name^="localhost"]')

    def row(self, table: str, name: str) -> Locator:
        """The row of what is called exactly so: other tests' names may contain it."""
        return self.frame.locator(f"{table} tr", has=self.page.get_by_text(name, exact=True))

    def box(self, locator: Locator) -> FloatRect:
        """Where it is, once it is in view: the mouse reaches nothing else, and other tests make the board long."""
        for _ in range(DRAWN_ANEW):
            locator.evaluate("one => one.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'})")
            try:
                locator.scroll_into_view_if_needed()  # the frame itself, within the portal's page
            except Error as gone:  # what is live was drawn anew just then: another element is it now
                if "not attached" not in str(gone):
                    raise
                continue
            if box := locator.bounding_box():
                return box
        raise AssertionError("it is shown")

    def become(self, user_id: int) -> Visitor:
        self.page.context.add_cookies([{"name": "portal_user", "value": str(user_id), "url": self.site.portal_url}])
        return self

    def deal(self, deal_id: int = 1) -> Visitor:
        """Opens our tab in that deal."""
        self.forget()
        self.page.goto(f"{self.site.portal_url}/crm/deal/details/{deal_id}/")
        self.page.get_by_role("tab", name="Бронирование").or_(
            self.page.locator("button", has_text="Бронирование")
        ).first.click()
        self.frame.locator("#tab").wait_for()
        return self._loaded()

    def forget(self) -> None:
        """Everybody's boards are as they were before anybody chose anything: tests share the people."""
        with transaction(self.site.engine) as tx:
            tx.execute(update(PortalUser).values(choice={}))

    def menu(self, *, again: bool = False) -> Visitor:
        """Opens our page from the left menu; `again`: as it was left."""
        if not again:
            self.forget()
        self.page.goto(self.site.portal_url)
        self.page.get_by_role("link", name="Бронирование", exact=True).first.click()
        self.frame.locator("#board").wait_for()
        return self._loaded()

    def _loaded(self) -> Visitor:
        """The page is painted before its scripts have come: a click at once would find nobody."""
        self.page.bring_to_front()  # of two tabs the one behind is not painted, and a click misses its frame
        self.frame.locator("body").evaluate(LOADED)
        return self

    def only_for(self, service: str) -> Visitor:
        """Leaves the lanes that serve this service; "" brings back all."""
        self.frame.locator("#filters-button").click()
        self.frame.locator("#by-service").select_option(label=service or "Не важно")
        self.frame.locator("#chip-service").wait_for(state="attached" if service else "detached")
        self.page.keyboard.press("Escape")
        return self

    def on(self, day: date) -> Visitor:
        """Shows this day on the board."""
        self.frame.locator("#day-input").fill(day.isoformat())
        self.frame.locator(f'#board[data-day="{day}"]').wait_for()
        return self

    def tomorrow(self) -> Visitor:
        """Shows the next day: its whole length is free and ahead."""
        day = self.frame.locator("#board").get_attribute("data-day")
        self.frame.locator("#day-next").click()
        self.frame.locator(f'#board:not([data-day="{day}"])').wait_for()
        return self


@pytest.fixture
def visitor(site: Site, context: BrowserContext) -> Iterator[Visitor]:
    """A manager with an empty tab; any error of our scripts fails the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Visitor(site, page).become(MANAGER)
    page.close()
    assert errors == []


@pytest.fixture
def admin(visitor: Visitor) -> Visitor:
    return visitor.become(ADMIN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs Chromium."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
