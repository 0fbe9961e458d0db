"""The employees of the portal, for choosing one: read with the visitor's own token, remembered for minutes."""

from __future__ import annotations

from datetime import timedelta

from b24app.bitrix.loose import as_map, text, whole
from b24app.errors import AppError
from b24app.sync.cards import LONGEST_NAME
from b24app.web.crm import crm
from b24app.web.memory import Memory
from b24app.web.visit import current_visit, now

REMEMBERED = timedelta(minutes=5)
MOST = 500

_staff: Memory[dict[int, str]] = Memory(200)


def employees() -> dict[int, str]:
    """Names by user id, at most 500; nobody when the portal does not answer just now.

    https://apidocs.bitrix24.com/api-reference/user/user-get.html
    """
    key = (current_visit().portal_id, current_visit().viewer.user_id)
    known = _staff.get(key, now())
    if known is None:
        try:
            known = _read()
        except AppError:
            return {}
        _staff.put(key, known, now() + REMEMBERED)
    return known


def _read() -> dict[int, str]:
    found: dict[int, str] = {}
    for row in crm().list_all("user.get", {"FILTER": {"ACTIVE": True, "USER_TYPE": "employee"}, "SORT": "LAST_NAME"}):
        person = as_map(row)
        user_id = whole(person.get("ID"))
        name = " ".join(filter(None, (text(person.get(part)) for part in ("NAME", "LAST_NAME"))))
        if user_id:
            found[user_id] = (name or f"№ {user_id}")[:LONGEST_NAME]
        if len(found) == MOST:
            break
    return found
