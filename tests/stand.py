"""An emulated portal and the application, in one process and joined by real HTTP requests without a socket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from flask import Flask
from flask.testing import FlaskClient
from requests.adapters import BaseAdapter
from werkzeug.test import TestResponse

from b24app.ledger import tenancy
from b24app.ledger.session import transaction
from b24app.sync.manifest import manifest
from emulator import apps, event, placement
from emulator.app import Emulator, create_emulator
from emulator.apps import CardForm
from emulator.seed import TEST_HOSTS, small_world
from emulator.state import AppCard, Portal, World
from emulator.transport import EmulatorAdapter

APP_URL = "https://app.example.com"
TOKEN_HEADER = "X-B24-Token"
BEARER = re.compile(r'name="b24-bearer" content="([^"]+)"')
ADMIN, SECOND_ADMIN, MANAGER, SECOND_MANAGER, EMPLOYEE = 1, 2, 3, 4, 5


class Nowhere(BaseAdapter):
    """No test reaches a real host."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        raise requests.ConnectionError("there is no network here", request=request)

    def close(self) -> None:
        """Nothing is kept open."""


class Stand:
    """One world of portals beside one application. `now` is the clock of both."""

    def __init__(self, app: Flask, now: datetime) -> None:
        self.app, self.client, self.now = app, app.test_client(), now
        self.world: World = small_world(now.timestamp())
        self.emulator: Emulator = create_emulator(self.world, lambda: self.now.timestamp())  # noqa: PLW0108  # it moves
        app.config["CLOCK"] = lambda: self.now
        self.reach_from(app.extensions["b24"].http)
        self._app_http = requests.Session()
        self._app_http.mount(APP_URL, EmulatorAdapter(app))
        self.world.post = self._post_event

    @property
    def portal(self) -> Portal:
        return self.world.portal

    def reach_from(self, http: requests.Session) -> None:
        """Sends this session's requests to the emulator, whatever portal they are for."""
        for portal in self.world.portals.values():
            http.mount(f"{portal.protocol}://{portal.host}", EmulatorAdapter(self.emulator))
        http.mount(f"https://{TEST_HOSTS.auth}", EmulatorAdapter(self.emulator))

    def _post_event(self, url: str, pairs: list[tuple[str, str]]) -> int:
        return self._app_http.post(url, data=pairs, timeout=30).status_code

    def deliver(self) -> None:
        """Lets the portal's events arrive, the delayed ones too."""
        event.deliver_due(self.world, everything=True)

    def add_card(self, portal: Portal | None = None, *, kind: str = "local") -> AppCard:
        """An application card as the administrator fills it in, known to the application."""
        said = manifest()
        form = CardForm(
            "Бронирование",
            APP_URL + said.main,
            APP_URL + said.installer,
            scopes=[*said.scopes, *said.optional_scopes],
            kind=kind,
        )
        card = apps.add_card(portal or self.portal, form)
        with transaction(self.app.extensions["b24"].engine) as tx:
            tenancy.add_application(tx, card.client_id, card.client_secret, kind)
        return card

    def open(
        self,
        card: AppCard,
        user_id: int = ADMIN,
        place: str = "DEFAULT",
        options: Mapping[str, Any] | None = None,
        portal: Portal | None = None,
        **changed: str,
    ) -> Frame:
        """What the portal does when somebody opens the application: posts its form, perhaps a forged one."""
        where = portal or self.portal
        form = placement.frame_form(where, where.users[user_id], card, place, dict(options or {}))
        assert form is not None, "the portal does not open the application for this user"
        parts = urlsplit(form.url)
        query = dict(pair.split("=", 1) for pair in parts.query.split("&"))
        fields = {name: value for name, value in {**form.fields, **changed}.items() if name not in query}
        query |= {name: value for name, value in changed.items() if name in query}
        answer = self.client.post(
            parts.path,
            query_string={n: unquote(v) for n, v in query.items()},
            data=fields,
            base_url=APP_URL,
        )
        return Frame(self.client, answer, fields.get("AUTH_ID", ""))


class Frame:
    """An open frame: the page, its bearer and the SDK's token. Requests carry both, as the page's script does."""

    def __init__(self, client: FlaskClient, page: TestResponse, token: str) -> None:
        self.client, self.page, self.token = client, page, token
        found = BEARER.search(page.text)
        self.bearer = found[1] if found else ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bearer}", TOKEN_HEADER: self.token, "HX-Request": "true"}

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(path, query_string=query, headers=self.headers, base_url=APP_URL)

    def post(self, path: str, **form: Any) -> TestResponse:
        return self.client.post(path, data=form, headers=self.headers, base_url=APP_URL)
