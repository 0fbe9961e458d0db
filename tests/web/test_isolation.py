"""Portal B with the ids of portal A: every route that takes one answers 404, and nothing of A changes or is shown."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.routing import Rule

from b24app.booking.clients import ClientData
from b24app.ledger.models import Base
from b24app.ledger.session import transaction
from tests.factories import installation_of, make_booking, make_portal, make_resource
from tests.prove import servers

GUARDED = ("/app/", "/install/")
SECRET_WORDS = ("Секретная переговорная", "Тайный клиент", "Закрытая встреча")


@dataclass
class Two:
    """What is portal A's, and how a bearer of portal B's administrator looks."""

    a: int
    booking_id: uuid.UUID
    number: int
    resource_id: int
    headers: dict[str, str]


@pytest.fixture
def two(app: Flask, engine: Engine, now: datetime) -> Two:
    app.config["CLOCK"] = lambda: now
    app.config["SECRET_KEY"] = servers.SECRET
    with transaction(engine) as tx:
        a, b = make_portal(tx), make_portal(tx)
        room = make_resource(tx, a, now=now, name=SECRET_WORDS[0])
        client = ClientData("contact", SECRET_WORDS[1], crm_id=2)
        booking = make_booking(tx, a, room, now=now, client=client, title=SECRET_WORDS[2], deal_id=1)
        bearer = servers.bearer_of(b, installation_of(tx, b), 1, is_admin=True)
    return Two(a.id, booking.id, booking.number, room.id, {"Authorization": f"Bearer {bearer}"})


def rules(app: Flask, *, with_ids: bool) -> list[Rule]:
    return [r for r in app.url_map.iter_rules() if r.rule.startswith(GUARDED) and bool(r.arguments) == with_ids]


def rows_of(engine: Engine, portal_id: int) -> dict[str, Any]:
    with engine.connect() as connection:
        return {
            table.name: sorted(
                map(str, connection.execute(text(f'SELECT * FROM "{table.name}" WHERE portal_id = {portal_id}')))
            )
            for table in Base.metadata.sorted_tables
            if "portal_id" in table.columns
        }


def form(two: Two) -> dict[str, Any]:
    """Every field that any form has, with the ids of portal A."""
    return {
        "resource": two.resource_id, "date": "2026-03-12", "start": "12:00", "end": "13:00", "revision": 1,
        "request_key": uuid.uuid4().hex, "title": "Чужая", "kind": "room", "name": "Чужая",
        "time_zone": "Europe/Moscow",
        "capacity": 1, "step_minutes": 30, "min_minutes": 30, "max_minutes": 60, "horizon_days": 30,
        "calendar_mode": "default",
    }  # fmt: skip


def test_every_route_with_an_id_answers_404(app: Flask, engine: Engine, two: Two) -> None:
    ids = {"booking_id": two.booking_id, "resource_id": two.resource_id, "number": two.number}
    before, client, asked = rows_of(engine, two.a), app.test_client(), 0
    for rule in rules(app, with_ids=True):
        if not rule.arguments <= set(ids):
            continue
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            url = app.url_map.bind("app.example.com").build(rule.endpoint, {n: ids[n] for n in rule.arguments})
            data = form(two) if method == "POST" else None
            answer = client.open(url, method=method, data=data, headers=two.headers, base_url="https://app.example.com")
            assert answer.status_code == 404, (method, url, answer.status_code)
            assert not any(word in answer.text for word in SECRET_WORDS)
            asked += 1
    assert asked >= 9
    assert rows_of(engine, two.a) == before


def test_every_id_in_a_route_is_one_of_ours(app: Flask) -> None:
    """A new kind of id must be added above, or it would never be tried."""
    names = {name for rule in rules(app, with_ids=True) for name in rule.arguments}
    assert names <= {"booking_id", "resource_id", "number", "name"}  # `name` is a step of the installer


def test_routes_without_an_id_show_nothing_of_another_portal(app: Flask, engine: Engine, two: Two) -> None:
    before, client = rows_of(engine, two.a), app.test_client()
    for rule in rules(app, with_ids=False):
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            answer = client.open(
                rule.rule, method=method, query_string={"day": "2026-03-10", "resource": two.resource_id},
                data=form(two) if method == "POST" else None, headers=two.headers, base_url="https://app.example.com",
            )  # fmt: skip
            assert not any(word in answer.text for word in SECRET_WORDS), (method, rule.rule)
            assert answer.status_code != 500, (method, rule.rule)
    assert rows_of(engine, two.a) == before


def test_a_form_that_names_a_foreign_resource_is_not_found(app: Flask, engine: Engine, two: Two) -> None:
    before = rows_of(engine, two.a)
    answer = app.test_client().post(
        "/app/bookings", data=form(two), headers=two.headers, base_url="https://app.example.com"
    )
    assert answer.status_code == 404
    assert rows_of(engine, two.a) == before


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic x"}])
def test_nothing_is_answered_without_a_bearer(app: Flask, two: Two, headers: dict[str, str]) -> None:
    for rule in [*rules(app, with_ids=False), *rules(app, with_ids=True)]:
        values = {"booking_id": two.booking_id, "resource_id": 1, "number": 1, "name": "fields"}
        url = app.url_map.bind("app.example.com").build(rule.endpoint, {n: values[n] for n in rule.arguments})
        method = "GET" if "GET" in (rule.methods or set()) else "POST"
        answer = app.test_client().open(url, method=method, headers=headers, base_url="https://app.example.com")
        assert answer.status_code == 401, (url, answer.status_code)
