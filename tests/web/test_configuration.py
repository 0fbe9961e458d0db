"""The pages of what is set up: changes, file, health, finding a setting; and a copy in another portal."""

from __future__ import annotations

import html
import io
import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text, update
from werkzeug.test import TestResponse

from b24app import texts
from b24app.booking.closures import remove_closure
from b24app.booking.tariffs import save_tariff
from b24app.ledger import changes, configured, facilities, tenancy
from b24app.ledger.models import Installation, Portal
from b24app.ledger.request_log import Entry, keep
from b24app.ledger.session import transaction
from tests.booking.setups import PRICES, know, set_up
from tests.factories import ADMIN, installation_of, make_portal, make_resource
from tests.prove import servers
from tests.web.test_board import words

ru = partial(texts.say, "ru")
BASE = "https://app.example.com"


@dataclass
class Page:
    """What an administrator of one portal sees."""

    client: FlaskClient
    engine: Engine
    portal: Portal
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(path, query_string=query, headers=self.headers, base_url=BASE)

    def post(self, path: str, **form: Any) -> TestResponse:
        return self.client.post(path, data=form, headers=self.headers, base_url=BASE)

    def file(self) -> dict[str, Any]:
        """As the link on the page gives it to the browser, which sends no bearer."""
        link = re.search(r'href="([^"]+)"', self.get("/app/configuration/link").text)
        assert link is not None
        answer = self.client.get(html.unescape(link[1]), base_url=BASE)
        assert answer.headers["Content-Disposition"].startswith("attachment")
        said: dict[str, Any] = json.loads(answer.text)
        return said

    def preview(self, said: Any, **form: Any) -> TestResponse:
        body = io.BytesIO((said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)).encode())
        return self.post("/app/configuration/preview", file=(body, "settings.json"), **form)

    def make(self, shown: str, **changed: Any) -> TestResponse:
        """As the button under a preview does."""
        sent = {
            name: html.unescape(value)
            for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown)
        }
        area = re.search(r'<textarea name="text" hidden>(.*?)</textarea>', shown, re.DOTALL)
        assert area is not None
        return self.post("/app/configuration/make", **{**sent, "text": html.unescape(area[1]), **changed})

    def board(self) -> str:
        """Every day's board of a week, with what is called by an id called by its place in the order instead."""
        days = [f"2026-03-{day:02}" for day in (*range(9, 16), 31)] + ["2026-04-01", "2026-05-02", "2026-12-31"]
        shown = "".join(self.get("/app/board", day=day).text for day in days)
        with transaction(self.engine) as tx:
            ids = [one.id for one in configured.resources(tx, self.portal.id)]
            ids += [one.id for one in configured.services(tx, self.portal.id)]
        places = {str(one): f"#{n}" for n, one in enumerate(ids)}
        shown = re.sub(r'data-tag="[^"]*"', "", shown)  # tells boards apart, of two portals as well
        return re.sub(r"\d+", lambda found: places.get(found[0], found[0]), shown)


def page_of(app: Flask, engine: Engine, **changed: Any) -> Page:
    with transaction(engine) as tx:
        portal = make_portal(tx, **changed)
        bearer = servers.bearer_of(portal, installation_of(tx, portal), 1, is_admin=True)
    return Page(app.test_client(), engine, portal, {"Authorization": f"Bearer {bearer}", "HX-Request": "true"})


@pytest.fixture
def here(app: Flask, engine: Engine, now: datetime) -> Page:
    """A portal in which something of everything is set up; ids that can be told from any other number."""
    app.config.update(CLOCK=lambda: now, SECRET_KEY=servers.SECRET)
    page = page_of(app, engine)
    with transaction(engine) as tx:
        for table, first in (("resource", 900000), ("service", 950000)):
            tx.execute(text(f"SELECT setval('{table}_id_seq', {first})"))
        set_up(tx, page.portal, now)
    return page


def test_a_copy_in_another_portal_has_the_same_board(here: Page, app: Flask, engine: Engine, now: datetime) -> None:
    there = page_of(app, engine)
    with transaction(engine) as tx:
        know(tx, there.portal, 7, "Мария Лебедева", now)
    shown = there.preview(here.file()).text
    assert "DR12" in words(shown)
    made = there.make(shown)
    assert made.status_code == 200, words(made.text)
    assert there.board() == here.board()
    assert "Ока" in here.board()
    with transaction(engine) as tx:  # and it would be seen if it were another one
        closures = facilities.closures(tx, there.portal.id, now)
        remove_closure(tx, there.portal, closures[0].id, viewer=ADMIN, now=now)
    assert there.board() != here.board()


def test_nothing_is_made_before_it_is_agreed_to(here: Page, engine: Engine) -> None:
    said = here.file()
    said["resources"][0].update(capacity=12)
    shown = here.preview(said)
    assert "1 → 12" in words(shown.text)
    assert here.file()["resources"][0]["capacity"] == 1
    made = here.make(shown.text)
    assert here.file()["resources"][0]["capacity"] == 12
    undo = re.search(r'hx-post="(/app/changes/[^"]+/undo)"', made.text)
    assert undo is not None
    assert here.post(undo[1]).status_code == 200
    assert here.file()["resources"][0]["capacity"] == 1


def test_what_was_changed_meanwhile_is_not_written_over(here: Page, engine: Engine, now: datetime) -> None:
    said = here.file()
    said["resources"][0].update(capacity=12)
    shown = here.preview(said).text
    with transaction(engine) as tx:
        make_resource(tx, here.portal, now=now)
    refused = here.make(shown)
    assert refused.status_code == 409
    assert here.file()["resources"][0]["capacity"] == 1


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda said: "{", ru("The file")),
        (lambda said: "[" * 100_000, ru("The file")),
        (
            lambda said: said | {"resources": [said["resources"][0] | {"capacity": -1}]},
            "(resources[0].capacity)",
        ),
        (lambda said: said | {"resources": [said["resources"][3] | {"parts": ["Весь этаж"]}]}, "resources[0].parts"),
        (lambda said: said | {"tariffs": 7}, "tariffs"),
    ],
)
def test_a_wrong_file_changes_nothing_and_says_where(here: Page, spoil: Any, expected: str) -> None:
    before = here.file()
    shown = here.preview(spoil(before))
    answer = here.make(shown.text) if shown.status_code == 200 else shown
    assert answer.status_code == 422
    assert expected in words(answer.text)
    assert here.file() == before


def test_only_administrators_have_the_file(here: Page, app: Flask, engine: Engine, now: datetime) -> None:
    link = re.search(r'href="([^"]+)"', here.get("/app/configuration/link").text)
    assert link is not None
    app.config["CLOCK"] = lambda: now + timedelta(minutes=2)
    assert here.client.get(html.unescape(link[1]), base_url=BASE).status_code == 403
    with transaction(engine) as tx:
        employee = servers.bearer_of(here.portal, installation_of(tx, here.portal), 3, is_admin=False)
    here.headers["Authorization"] = f"Bearer {employee}"
    for path in ("/app/configuration", "/app/configuration/link", "/app/changes", "/app/health", "/app/settings/find"):
        assert here.get(path).status_code == 403


def test_changes_are_told_in_words_and_taken_back(here: Page, engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        know(tx, here.portal, 1, "Ольга Титова", now)
        tariff = save_tariff(tx, here.portal, PRICES, viewer=ADMIN, now=now)
    with transaction(engine) as tx:
        save_tariff(tx, here.portal, replace(PRICES, deposit_percent=30), viewer=ADMIN, now=now, tariff_id=tariff.id)
    shown = here.get("/app/changes").text
    assert "Ольга Титова" in shown
    assert f"Студия – {ru('altered')}" in words(shown)
    assert "50 % → 30 %" in words(shown).replace("\N{NO-BREAK SPACE}", " ")
    with transaction(engine) as tx:
        batch = changes.newest(tx, here.portal.id)[0].batch
    done = here.post(f"/app/changes/{batch}/undo")
    assert (done.status_code, ru("changes.undone", count=1) in done.text) == (200, True)
    again = here.post(f"/app/changes/{batch}/undo")
    assert (again.status_code, ru("field.undone_already") in again.text) == (422, True)
    assert "Студия" not in here.get("/app/changes", kind="resource").text


def test_settings_are_found_by_what_they_are_called(here: Page) -> None:
    found = here.get("/app/settings/find", q="корт").text
    assert re.search(r"/app/resources/9\d{5}", found)
    assert "/app/portal/edit" in here.get("/app/settings/find", q="напоминания").text
    assert "/app/policies" in here.get("/app/settings/find", q="ОТМЕН").text
    assert ru("Nothing is called so. Look under the topics above.") in here.get("/app/settings/find", q="жираф").text
    assert here.get("/app/settings/find").text.strip() == ""


def test_health_says_what_is_wrong_as_doctor_does(here: Page, app: Flask, engine: Engine, now: datetime) -> None:
    with transaction(engine) as tx:
        tx.execute(update(Installation).where(Installation.portal_id == here.portal.id).values(needs_admin=True))
        refused = Entry(here.portal.id, now - timedelta(hours=1), "crm.item.add", "ACCESS_DENIED", 20, "{}")
        keep(tx, [refused, refused])
        assert tenancy.portals(tx)
    shown = words(here.get("/app/health").text)
    assert " ".join(ru("health.no_token").split()) in shown
    assert "crm.item.add" in shown
    with app.app_context():
        told = app.test_cli_runner().invoke(args=["doctor"])
    assert told.exit_code == 1
    assert f"✗ {here.portal.domain}: No administrator’s access is left: one has to open the application" in told.output
    assert "crm.item.add: the administrator whose access we use may not do this, 2 times" in told.output


def test_a_composite_and_its_parts_are_taken_away_in_order(here: Page, engine: Engine) -> None:
    said = here.file()
    said["resources"], said["services"], said["closures"], said["access"] = [], [], [], said["access"][:1]
    made = here.make(here.preview(said, complete="1").text)
    assert made.status_code == 200, words(made.text)
    with transaction(engine) as tx:
        assert [one.name for one in configured.resources(tx, here.portal.id) if one.archived_at is None] == []
