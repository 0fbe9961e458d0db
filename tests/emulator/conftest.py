"""An emulated portal with one application, called in-process by hosts that only exist here."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from emulator import apps, event, oauth, placement
from emulator.app import Emulator, create_emulator
from emulator.apps import CardForm
from emulator.seed import TEST_HOSTS, WEBHOOK, small_world
from emulator.state import AppCard, Portal, World

PORTAL = f"https://{TEST_HOSTS.portal}"
AUTH = f"https://{TEST_HOSTS.auth}"
APP = "https://booking.example.com"
START = 1_795_500_000.0
SCOPES = ["crm", "userfieldconfig", "calendar", "placement", "user_brief", "im", "department"]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Api:
    """Calls the portal's REST as one user of the application, or by its webhook."""

    def __init__(self, emulator: Emulator, card: AppCard | None = None, user_id: int = 1) -> None:
        self.emulator, self.client = emulator, emulator.test_client()
        self.portal: Portal = emulator.world.portal
        self.prefix, self.token = f"/rest/1/{WEBHOOK}/", ""
        if card is not None:
            user = self.portal.users[user_id]
            self.token = oauth.issue(self.portal, user, card, emulator.world.now()).access
            self.prefix = "/rest/"

    def raw(self, method: str, params: dict[str, Any] | None = None) -> TestResponse:
        body = {**(params or {}), **({"auth": self.token} if self.token else {})}
        return self.client.post(self.prefix + method, json=body, base_url=PORTAL)

    def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """The result of a call that must succeed."""
        answer = self.raw(method, params)
        body = answer.get_json()
        assert answer.status_code == 200, body
        assert "error" not in body, body
        return body["result"]

    def refusal(self, method: str, params: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and code of a call that must be refused."""
        answer = self.raw(method, params)
        body = answer.get_json()
        assert "error" in body, body
        assert "time" not in body
        return answer.status_code, body["error"]


class Inbox:
    """Where events of the portal arrive."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posts: list[tuple[str, dict[str, str]]] = []
        world.post = self._post

    def _post(self, url: str, pairs: list[tuple[str, str]]) -> int:
        self.posts.append((url, dict(pairs)))
        return 200

    def names(self) -> list[str]:
        """Deliver what is due and name everything that has arrived, in order."""
        event.deliver_due(self.world)
        return [form["event"] for _, form in self.posts]

    def last(self) -> dict[str, str]:
        event.deliver_due(self.world)
        return self.posts[-1][1]


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
def world() -> World:
    return small_world(START)


@pytest.fixture
def emulator(world: World, clock: Clock) -> Emulator:
    return create_emulator(world, clock)


@pytest.fixture
def portal(emulator: Emulator) -> Portal:
    return emulator.world.portal


@pytest.fixture
def inbox(world: World) -> Inbox:
    return Inbox(world)


@pytest.fixture
def new_card(portal: Portal) -> AppCard:
    """A local application that was added and never opened."""
    form = CardForm("Бронирование", f"{APP}/b24/app", f"{APP}/b24/install", scopes=SCOPES)
    return apps.add_card(portal, form)


@pytest.fixture
def card(portal: Portal, new_card: AppCard) -> AppCard:
    """The same application, installed."""
    assert placement.finish_install(portal, portal.users[1], new_card)
    return new_card


@pytest.fixture
def api(emulator: Emulator, card: AppCard) -> Api:
    """The administrator who installed the application."""
    return Api(emulator, card)


@pytest.fixture
def hook(emulator: Emulator) -> Api:
    return Api(emulator)
