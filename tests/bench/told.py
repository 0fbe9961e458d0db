"""Ten thousand events about calendar entries, deals and contacts that are none of ours: answered, and forgotten."""

from __future__ import annotations

import itertools
import time

from flask import Flask
from sqlalchemy import func, select, text

from b24app.ledger.models import Installation, Portal
from b24app.ledger.portal_models import Sighting
from b24app.ledger.session import transaction
from b24app.sync.manifest import manifest

COUNT = 10_000
TOKEN = "c0ffee" * 5
ABROAD = 10_000_000  # ids that no picture of ours has
EVENTS = (
    ("ONCALENDARENTRYUPDATE", "data[id]"),
    ("ONCRMDEALUPDATE", "data[FIELDS][ID]"),
    ("ONCRMCONTACTUPDATE", "data[FIELDS][ID]"),
    ("ONCALENDARENTRYDELETE", "data[id]"),
)


def foreign_ms(app: Flask, portal_id: int) -> list[float]:
    """How long each of them took us, in milliseconds; nothing of them may be left."""
    engine = app.extensions["b24"].engine
    with transaction(engine) as tx:
        portal = tx.get_one(Portal, portal_id)
        tx.scalars(select(Installation).filter_by(portal_id=portal_id)).one().application_token = TOKEN
        jobs = tx.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one()
    client, took = app.test_client(), []
    for number, (event, name) in zip(range(COUNT), itertools.cycle(EVENTS), strict=False):
        form = {
            "event": event, "event_handler_id": "7", "ts": "1795600000", name: str(ABROAD + number),
            "auth[member_id]": portal.member_id, "auth[application_token]": TOKEN, "auth[user_id]": "3",
        }  # fmt: skip
        begun = time.perf_counter()
        answer = client.post(manifest().events_handler, data=form)
        took.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.status
    with transaction(engine) as tx:
        assert tx.scalar(select(func.count()).select_from(Sighting)) == 0
        assert tx.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one() == jobs
    return took
