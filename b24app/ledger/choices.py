"""How each person last had the board, one choice for each kind of place where it is shown.

Written only when it is another one than before: somebody who looks at days all morning writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from b24app.ledger.session import run, select_rows

_READ = "SELECT choice->%(place)s FROM portal_user WHERE portal_id = %(portal)s AND user_id = %(user)s"
_KEEP = """
UPDATE portal_user
SET choice = CASE jsonb_typeof(choice) WHEN 'object' THEN choice ELSE '{}'::jsonb END
             || jsonb_build_object(%(place)s::text, %(kept)s::jsonb)
WHERE portal_id = %(portal)s AND user_id = %(user)s AND choice->%(place)s IS DISTINCT FROM %(kept)s::jsonb
"""


def recall(tx: Session, portal_id: int, user_id: int, place: str) -> Any:
    """What was kept for this kind of place, whatever it is; None when nothing was."""
    rows = select_rows(tx, _READ, portal=portal_id, user=user_id, place=place)
    return rows[0][0] if rows else None


def keep(tx: Session, portal_id: int, user_id: int, place: str, kept: Mapping[str, object]) -> None:
    """Remembers this for the kind of place; others stay as they are."""
    run(tx, _KEEP, portal=portal_id, user=user_id, place=place, kept=json.dumps(kept))


_ADMINISTRATORS = """
SELECT name FROM portal_user
WHERE portal_id = %(portal)s AND is_admin AND NOT dismissed AND name <> ''
ORDER BY seen_at DESC, user_id LIMIT %(most)s
"""


def administrators(tx: Session, portal_id: int, most: int) -> list[str]:
    """The names of the administrators who were here last: those who can be asked for access."""
    return [row[0] for row in select_rows(tx, _ADMINISTRATORS, portal=portal_id, most=most)]


_IN_CHARGE = """
SELECT b.id, coalesce(u.name, '')
FROM (
    SELECT DISTINCT responsible_id AS id FROM booking
    WHERE portal_id = %(portal)s AND lower(during) >= %(since)s AND responsible_id IS NOT NULL
) b
LEFT JOIN portal_user u ON u.portal_id = %(portal)s AND u.user_id = b.id
ORDER BY 2, 1
"""


def in_charge(tx: Session, portal_id: int, since: datetime) -> list[tuple[int, str]]:
    """The people who answer for bookings that begin after `since`: user id, and name as far as it is known."""
    return [(row[0], row[1]) for row in select_rows(tx, _IN_CHARGE, portal=portal_id, since=since)]


_THEIRS = """
SELECT number FROM booking
WHERE portal_id = %(portal)s AND number = ANY(%(numbers)s) AND responsible_id = %(user)s
"""


def numbers_of(tx: Session, portal_id: int, user_id: int, numbers: list[int]) -> set[int]:
    """Those of these bookings for which this person answers."""
    if not numbers:
        return set()
    return {row[0] for row in select_rows(tx, _THEIRS, portal=portal_id, user=user_id, numbers=numbers)}
