"""Every call and its answer is kept for three days, encrypted and without what opens a door."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import select, text

from b24app.bitrix.client import Command
from b24app.bitrix.record import Exchange
from b24app.errors import AppError
from b24app.ledger import request_log, tenancy
from b24app.ledger.portal_models import RequestLog
from b24app.ledger.session import in_transaction, transaction
from b24app.sync.call_log import CallLog
from b24app.sync.tokens import portal_client
from emulator import faults
from tests.sync.rig import ADMIN, Clock, Rig
from tests.sync.test_tokens import expire, pair_of


@pytest.fixture
def log(rig: Rig) -> CallLog:
    """What is written down when the test says so: the timer is too slow for it."""
    made = CallLog(rig.engine, rig.clock)
    rig.reach = replace(rig.reach, calls=made)
    return made


def kept(rig: Rig) -> list[RequestLog]:
    with transaction(rig.engine) as tx:
        return request_log.read(tx, rig.portal_id)


def test_calls_are_written_down_together_and_encrypted(rig: Rig, log: CallLog) -> None:
    expire(rig)
    stale = pair_of(rig, ADMIN).access_token
    client = portal_client(rig.reach, rig.portal_id)
    client.call("user.current")
    client.batch({"one": Command("user.get", {"FILTER": {"NAME": "Анна"}})})
    faults.add(rig.world, {"method": "profile", "kind": "502", "times": 1})
    with pytest.raises(AppError):
        client.call("profile")
    assert kept(rig) == [], "a call costs no transaction"
    log.flush()
    assert [(one.method, one.outcome) for one in kept(rig)] == [
        ("user.current", "expired_token"),
        ("user.current", "ok"),
        ("batch", "ok"),
        ("profile", "HTTP 502 without a result"),
    ]
    bodies = [json.loads(one.body) for one in kept(rig)]
    assert quote("Анна") in bodies[2]["sent"]
    with transaction(rig.engine) as tx:
        raw = b"".join(bytes(row.body) for row in tx.execute(text("SELECT body FROM request_log")))
    fresh = pair_of(rig, ADMIN)
    for secret in (stale, fresh.access_token, fresh.refresh_token, "user.get"):
        assert secret.encode() not in raw
        assert secret == "user.get" or secret not in json.dumps(bodies)


def test_what_is_collected_inside_of_a_transaction_opens_none_of_its_own(rig: Rig, log: CallLog) -> None:
    with transaction(rig.engine) as tx:
        record = log.of(rig.portal_id)
        for exchange in _exchanges(3):
            record(exchange)
        assert in_transaction()
        assert tx.scalars(select(RequestLog)).all() == []
    log.flush()
    assert len(kept(rig)) == 3


def _exchanges(count: int) -> list[Exchange]:
    return [Exchange("profile", "ok", 5, "{}", "{}") for _ in range(count)]


def test_the_log_of_an_erased_portal_harms_nobody(rig: Rig, log: CallLog) -> None:
    log.of(4711)(_exchanges(1)[0])
    portal_client(rig.reach, rig.portal_id).call("profile")
    log.flush()
    assert [one.method for one in kept(rig)] == ["profile"]
    with transaction(rig.engine) as tx:
        tenancy.erase(tx, rig.portal_id)
    assert kept(rig) == []


def test_calls_are_forgotten_after_three_days_and_a_margin(rig: Rig, log: CallLog, clock: Clock) -> None:
    client = portal_client(rig.reach, rig.portal_id)
    client.call("profile")
    clock.forward(timedelta(days=3, hours=5).total_seconds())
    log.flush()
    client.call("user.current")
    log.flush()
    with transaction(rig.engine) as tx:
        assert request_log.forget(tx, clock()) == 0
    clock.forward(timedelta(hours=2).total_seconds())
    with transaction(rig.engine) as tx:
        assert request_log.forget(tx, clock()) == 1
    assert "user.current" in [one.method for one in kept(rig)]


def test_one_method_or_several_are_found(rig: Rig, log: CallLog) -> None:
    client = portal_client(rig.reach, rig.portal_id)
    for method in ("profile", "user.current", "user.get", "profile"):
        client.call(method)
    log.flush()
    with transaction(rig.engine) as tx:
        found = {name: len(request_log.read(tx, rig.portal_id, name)) for name in ("profile", "user.*", "u", "*")}
        assert found == {"profile": 2, "user.*": 2, "u": 0, "*": 4}
        assert [one.method for one in request_log.read(tx, rig.portal_id, limit=2)] == ["user.get", "profile"]
