"""Who did something in the portal: his name and his rights, for what no frame of ours proves.

https://apidocs.bitrix24.com/api-reference/user/user-get.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from b24app.bitrix.client import PortalClient
from b24app.bitrix.loose import as_map, flag, text, whole
from b24app.errors import Rejected
from b24app.ledger import people, queries
from b24app.ledger.access import Viewer, codes_of
from b24app.ledger.models import Portal
from b24app.ledger.people import Employee
from b24app.ledger.session import Engine, Tx, transaction

log = logging.getLogger(__name__)

TRUSTED = timedelta(days=1)
LONGEST_NAME = 200
PAGE = 50


def viewer_of(tx: Tx, portal: Portal, user_id: int | None, now: datetime) -> Viewer | None:
    """The person with his grants; None for nobody, and for somebody of whom nothing was read yet.

    Who was dismissed has no rights, whatever is still his.
    """
    known = people.rights(tx, portal.id, user_id) if user_id else None
    if known is None or user_id is None:
        return None
    if known.dismissed:
        return Viewer(user_id, codes=frozenset())
    return Viewer(user_id, known.is_admin, known.codes, queries.grants(tx, portal.id, known.codes, now))


def learn(
    client: PortalClient,
    engine: Engine,
    portal_id: int,
    user_ids: Collection[int],
    now: datetime,
    *,
    anew: bool = False,
) -> None:
    """(calls) Reads those of these people who are not known, or not since yesterday; `anew`: all of them."""
    with transaction(engine) as tx:
        known = set() if anew else people.known_since(tx, portal_id, user_ids, now - TRUSTED)
    unknown = sorted({one for one in user_ids if one > 0} - known)
    for start in range(0, len(unknown), PAGE):
        asked = unknown[start : start + PAGE]
        try:
            found = _read(client, asked)
        except Rejected as error:  # a portal where the application may not read people
            log.warning("portal %s: people: %s", portal_id, error.code)
            return
        with transaction(engine) as tx:
            people.keep(tx, portal_id, [found.get(one) or _stranger(one) for one in asked], now)


def _read(client: PortalClient, user_ids: Collection[int]) -> dict[int, Employee]:
    rows = client.list_all("user.get", {"FILTER": {"ID": list(user_ids)}})
    found = (employee(as_map(row)) for row in rows)
    return {one.user_id: one for one in found if one is not None}


def employee(row: Mapping[str, Any]) -> Employee | None:
    """Somebody as `user.get` tells of him; None for a row without an id."""
    user_id = whole(row.get("ID"))
    if not user_id:
        return None
    name = " ".join(filter(None, (text(row.get(part)) for part in ("NAME", "LAST_NAME"))))
    dismissed = "ACTIVE" in row and not flag(row["ACTIVE"])
    return Employee(user_id, name[:LONGEST_NAME] or f"№ {user_id}", access_codes(user_id, row), dismissed)


def _stranger(user_id: int) -> Employee:
    """Somebody whom the portal does not show: a robot's user, a guest. He has no rights but his own."""
    return Employee(user_id, f"№ {user_id}", frozenset({f"U{user_id}"}))


def access_codes(user_id: int, user: Mapping[str, Any]) -> frozenset[str]:
    """His access codes. Only who is said to be an employee is one: by his type, or where there is none, a department.

    Guests of the extranet, bots and whoever the portal does not tell us of have nothing but a code of their own.
    """
    departments = [one for one in map(whole, as_map(user.get("UF_DEPARTMENT")).values()) if one]
    kind = user.get("USER_TYPE")
    employed = kind == "employee" if kind else bool(departments)
    return codes_of(user_id, departments) if employed else frozenset({f"U{user_id}"})
