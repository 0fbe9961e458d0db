"""Portal B with the ids of portal A: every route that takes one answers 404, and nothing of A changes or is shown."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text
from werkzeug.routing import Rule

from b24app.booking.clients import ClientData
from b24app.booking.closures import ClosureData, save_closure
from b24app.booking.kinds import KindData, save_kind
from b24app.booking.policies import make_policy, save_policy
from b24app.booking.tariffs import save_tariff
from b24app.ledger import changes
from b24app.ledger.feeds import FeedData
from b24app.ledger.feeds import make as make_feed
from b24app.ledger.models import Base, ExternalRef
from b24app.ledger.session import transaction
from b24app.scheduling.pricing import Tariff
from tests.factories import ADMIN, installation_of, make_booking, make_portal, make_resource, make_service
from tests.prove import servers
from tests.web.installed import everything
from tests.web.test_settings import NO_TERM

GUARDED = ("/app/", "/install/")
SECRET_WORDS = (
    "Секретная переговорная",
    "Тайный клиент",
    "Закрытая встреча",
    "Скрытый ремонт",
    "Закрытая услуга",
    "Тайный тариф",
    "Негласные правила",
    "Засекреченный вид",
)


@dataclass
class Two:
    """What is portal A's, and how a bearer of portal B's administrator looks. `ids`: one for each name in a route."""

    a: int
    ids: dict[str, Any]
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
        closure = save_closure(tx, a, ClosureData(now.date(), reason=SECRET_WORDS[3]), viewer=ADMIN, now=now)
        service = make_service(tx, a, (room, 1), name=SECRET_WORDS[4])
        tariff = save_tariff(tx, a, Tariff(SECRET_WORDS[5], "hour", Decimal(1)), viewer=ADMIN, now=now)
        policy = save_policy(tx, a, make_policy(name=SECRET_WORDS[6]), viewer=ADMIN, now=now)
        feed, _ = make_feed(tx, a.id, FeedData(resource_id=room.id), viewer=ADMIN, now=now)
        bearer = servers.bearer_of(b, installation_of(tx, b), 1, is_admin=True)
        ids = {
            "booking_id": booking.id, "number": booking.number, "resource_id": room.id, "closure_id": closure.id,
            "service_id": service.id, "tariff_id": tariff.id, "policy_id": policy.id, "feed_id": feed.id,
            "change_id": changes.newest(tx, a.id)[0].id, "batch": changes.newest(tx, a.id)[0].batch,
            "kind_id": save_kind(tx, a, KindData(SECRET_WORDS[7]), viewer=ADMIN, now=now).id,
            "ref_id": tx.scalars(select(ExternalRef.id).where(ExternalRef.booking_id == booking.id).limit(1)).one(),
        }  # fmt: skip
    return Two(a.id, ids, {"Authorization": f"Bearer {bearer}"})


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
        "resource": two.ids["resource_id"], "date": "2026-03-12", "start": "12:00", "end": "13:00", "revision": 1,
        "request_key": uuid.uuid4().hex, "title": "Чужая", "kind": "room", "name": "Чужая",
        "time_zone": "Europe/Moscow",
        "capacity": 1, "step_minutes": 30, "min_minutes": 30, "max_minutes": 60, "horizon_days": 30,
        "calendar_mode": "default", "units": 1, "buffer_before": 0, "buffer_after": 0,
        "mode": "fixed", "minutes": 60, "preference": "order", "sort": 0,
        "requirements-0-options": two.ids["resource_id"], "requirements-0-quantity": 1,
        "basis": "hour", "price": "100", "deposit_percent": 100, "rounding": "1", "no_show_percent": 0,
        "winner": "first", "after_end": "completed", "approval_minutes": 60, **dict.fromkeys(NO_TERM, 0),
    }  # fmt: skip


def test_every_route_with_an_id_answers_404(app: Flask, engine: Engine, two: Two) -> None:
    ids = two.ids
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


def test_every_id_in_a_route_is_one_of_ours(app: Flask, two: Two) -> None:
    """A new kind of id must be added above, or it would never be tried."""
    names = {name for rule in rules(app, with_ids=True) for name in rule.arguments}
    assert names <= {*two.ids, "name"}  # `name` is a step of the installer


def test_routes_without_an_id_show_nothing_of_another_portal(app: Flask, engine: Engine, two: Two) -> None:
    before, client = rows_of(engine, two.a), app.test_client()
    for rule in rules(app, with_ids=False):
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            answer = client.open(
                rule.rule, method=method, query_string={"day": "2026-03-10", "resource": two.ids["resource_id"]},
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


@pytest.mark.parametrize(
    ("path", "field", "what"),
    [
        ("/app/resources", "parts", "resource_id"),
        ("/app/resources", "policy_id", "policy_id"),
        ("/app/resources", "tariff_id", "tariff_id"),
        ("/app/closures", "resource", "resource_id"),
        ("/app/services", "requirements-0-options", "resource_id"),
        ("/app/services", "policy_id", "policy_id"),
        ("/app/services", "tariff_id", "tariff_id"),
    ],
)
def test_settings_that_name_what_is_foreign_are_refused(
    app: Flask, engine: Engine, two: Two, path: str, field: str, what: str
) -> None:
    before = {table: rows for table, rows in everything(engine).items() if table != "portal_activity"}
    data = {**form(two), field: two.ids[what]}
    answer = app.test_client().post(path, data=data, headers=two.headers, base_url="https://app.example.com")
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    assert not any(word in answer.text for word in SECRET_WORDS)
    assert {table: rows for table, rows in everything(engine).items() if table != "portal_activity"} == before


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic x"}])
def test_nothing_is_answered_without_a_bearer(app: Flask, two: Two, headers: dict[str, str]) -> None:
    for rule in [*rules(app, with_ids=False), *rules(app, with_ids=True)]:
        values = {**two.ids, "name": "fields"}
        url = app.url_map.bind("app.example.com").build(rule.endpoint, {n: values[n] for n in rule.arguments})
        method = "GET" if "GET" in (rule.methods or set()) else "POST"
        answer = app.test_client().open(url, method=method, headers=headers, base_url="https://app.example.com")
        assert answer.status_code == 401, (url, answer.status_code)
