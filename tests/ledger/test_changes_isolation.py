"""What is set up in portal A and what was changed there: portal B reads nothing of it and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger import changes, configured, health
from b24app.ledger.request_log import Entry, keep
from tests.booking.rows import everything
from tests.booking.setups import set_up
from tests.conftest import NOW
from tests.factories import make_portal

NOTHING: tuple[Any, ...] = (None, [], {})
# Called with portal B, the id and batch of a change of A, and the ids of A's resources.
CALLS: dict[str, Callable[..., Any]] = {
    "newest": lambda tx, b, change, ids: changes.newest(tx, b),
    "of_batch": lambda tx, b, change, ids: changes.of_batch(tx, b, change.batch),
    "one": lambda tx, b, change, ids: changes.one(tx, b, change.id),
    "mark_undone": lambda tx, b, change, ids: changes.mark_undone(tx, b, [change.id], NOW),
    "names": lambda tx, b, change, ids: changes.names(tx, b, "resource"),
    "resources": lambda tx, b, change, ids: configured.resources(tx, b),
    "services": lambda tx, b, change, ids: configured.services(tx, b),
    "bare_services": lambda tx, b, change, ids: configured.bare_services(tx, b, ids),
    "special_hours": lambda tx, b, change, ids: configured.special_hours(tx, b, ids),
    "people_called": lambda tx, b, change, ids: configured.people_called(tx, b, ["Мария Лебедева"]),
    "failing_calls": lambda tx, b, change, ids: health.failing_calls(tx, b, NOW - timedelta(days=1)),
}
OF_NO_PORTAL = {"batch_of", "add", "queue_state"}


def functions(module: ModuleType) -> set[str]:
    return {name for name, one in inspect.getmembers(module, inspect.isfunction) if one.__module__ == module.__name__}


def test_every_function_is_called_here() -> None:
    known = functions(changes) | functions(configured) | functions(health)
    assert {one for one in known if not one.startswith("_")} == CALLS.keys() | OF_NO_PORTAL


def test_another_portal_has_nothing_of_it(tx: Session, now: datetime) -> None:
    a, b = make_portal(tx), make_portal(tx)
    ids = [one.id for one in set_up(tx, a, now).values()]
    keep(tx, [Entry(a.id, now, "crm.item.add", "ACCESS_DENIED", 20, "{}")])
    change, before = changes.newest(tx, a.id)[0], everything(tx)
    for name, call in CALLS.items():
        if name in ("of_batch", "one"):
            with pytest.raises(NotFound):
                call(tx, b.id, change, ids)
        else:
            assert call(tx, b.id, change, ids) in NOTHING, name
    assert everything(tx) == before
    assert all(call(tx, a.id, change, ids) for name, call in CALLS.items() if name != "mark_undone")
