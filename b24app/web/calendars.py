"""The sections of shared calendars, for choosing one: read with the visitor's own token, remembered for minutes.

https://apidocs.bitrix24.com/api-reference/calendar/calendar-section-get.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from flask import current_app

from b24app.bitrix.loose import as_map, flag, text, whole
from b24app.errors import AppError
from b24app.sync.cards import LONGEST_NAME
from b24app.web.crm import crm
from b24app.web.memory import Memory
from b24app.web.visit import current_visit, now

REMEMBERED = timedelta(minutes=5)
COMPANY, GROUP = "company_calendar", "group"


def _remembered() -> Memory[dict[int, str]]:
    made = current_app.extensions.setdefault("b24_shared_calendars", Memory(200))
    return cast(Memory[dict[int, str]], made)


def company_sections() -> dict[int, str]:
    """Those of the company calendar that he may write to; none when the portal does not answer just now."""
    return _known(COMPANY, 0)


def group_sections(group_id: int) -> dict[int, str]:
    """Those of a workgroup's calendar."""
    return _known(GROUP, group_id)


def _known(kind: str, owner_id: int) -> dict[int, str]:
    key = (current_visit().portal_id, current_visit().viewer.user_id, kind, owner_id)
    known = _remembered().get(key, now())
    if known is None:
        try:
            known = _read(kind, owner_id)
        except AppError:
            return {}
        _remembered().put(key, known, now() + REMEMBERED)
    return known


def _read(kind: str, owner_id: int) -> dict[int, str]:
    rows = map(as_map, as_map(crm().call("calendar.section.get", {"type": kind, "ownerId": owner_id})).values())
    writable = ((whole(row.get("ID")), row) for row in rows if flag(as_map(row.get("PERM")).get("add")))
    return {number: (text(row.get("NAME")) or f"№ {number}")[:LONGEST_NAME] for number, row in writable if number}
