"""Every insert, update and delete of the use cases that is more than setting an attribute."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from b24app.ledger.models import (
    Booking,
    Client,
    MoneyRecord,
    QuoteLine,
    Series,
)
from b24app.ledger.session import run
from b24app.scheduling.pricing import QuoteLine as Line

QUOTAS_LOCK = 8_024_003  # any constant: the first half of the advisory lock, the portal's id is the second


def hold_quotas(tx: Session, portal_id: int) -> None:
    """Nobody else counts against the portal's quotas until the transaction ends: two bookings of one person on two
    resources would otherwise not see each other. After the bookings, before the portal's row."""
    run(tx, "SELECT pg_advisory_xact_lock(%(class)s, %(portal)s::int)", **{"class": QUOTAS_LOCK, "portal": portal_id})


def board_changed(tx: Session, portal_id: int) -> None:
    """Boards of this portal are out of date. Locks the portal's row: call it last, before the queue."""
    run(tx, "UPDATE portal SET changes = changes + 1 WHERE id = %(portal)s", portal=portal_id)


def keep_claims(tx: Session, portal_id: int, booking_id: uuid.UUID, resource_ids: Collection[int]) -> None:
    """The resources that a competing request would like to have, as they are from now on."""
    run(
        tx,
        "WITH gone AS (DELETE FROM claim WHERE portal_id = %(portal)s AND booking_id = %(booking)s"
        " AND resource_id <> ALL(%(resources)s::bigint[]))"
        " INSERT INTO claim (portal_id, booking_id, resource_id)"
        " SELECT b.portal_id, b.id, r.id FROM booking b JOIN resource r ON r.portal_id = b.portal_id"
        " WHERE b.portal_id = %(portal)s AND b.id = %(booking)s AND r.id = ANY(%(resources)s::bigint[])"
        " ON CONFLICT DO NOTHING",
        portal=portal_id,
        booking=booking_id,
        resources=sorted(resource_ids),
    )


_ADD_LINES = """
INSERT INTO quote_line (portal_id, booking_id, kind, name, params, quantity, unit_price, amount, added_at)
SELECT b.portal_id, b.id, l.kind, l.name, l.params, l.quantity, l.unit_price, l.amount, %(now)s
FROM booking b, unnest(%(kinds)s::text[], %(names)s::text[], %(params)s::jsonb[], %(quantities)s::numeric[],
                       %(prices)s::numeric[], %(amounts)s::numeric[])
    WITH ORDINALITY AS l (kind, name, params, quantity, unit_price, amount, n)
WHERE b.portal_id = %(portal)s AND b.id = %(booking)s
ORDER BY l.n
"""


def add_lines(tx: Session, portal_id: int, booking_id: uuid.UUID, lines: Iterable[Line], now: datetime) -> None:
    """Adds lines to the price of a booking, in their order."""
    rows = [(one.kind, one.text, Jsonb(dict(one.params)), one.quantity, one.unit_price, one.amount) for one in lines]
    kinds, names, params, quantities, prices, amounts = zip(*rows, strict=True) if rows else ((),) * 6
    run(
        tx, _ADD_LINES, portal=portal_id, booking=booking_id, now=now, kinds=list(kinds), names=list(names),
        params=list(params), quantities=list(quantities), prices=list(prices), amounts=list(amounts),
    )  # fmt: skip


def supersede_lines(
    tx: Session, portal_id: int, booking_id: uuid.UUID, now: datetime, kinds: Collection[str],
    *, since: datetime | None = None,
) -> None:  # fmt: skip
    """The price of a booking no longer has lines of these kinds, or those of them that were added `since`."""
    query = update(QuoteLine).where(
        QuoteLine.portal_id == portal_id,
        QuoteLine.booking_id == booking_id,
        QuoteLine.superseded_at.is_(None),
        QuoteLine.kind.in_(kinds),
    )
    if since is not None:
        query = query.where(QuoteLine.added_at >= since)
    tx.execute(query.values(superseded_at=now).execution_options(synchronize_session=False))


def add_money(tx: Session, portal_id: int, booking_id: uuid.UUID, values: dict[str, Any]) -> int | None:
    """The id of a new payment or refund, or None when this `request_key` has made one already, or there is no such
    booking."""
    typed = [literal(value, MoneyRecord.__table__.c[name].type) for name, value in values.items()]
    of_booking = select(Booking.portal_id, Booking.id, *typed).where(
        Booking.portal_id == portal_id, Booking.id == booking_id
    )
    return tx.scalars(
        insert(MoneyRecord)
        .from_select(["portal_id", "booking_id", *values], of_booking)
        .on_conflict_do_nothing(index_elements=[MoneyRecord.portal_id, MoneyRecord.request_key])
        .returning(MoneyRecord.id)
    ).first()


def add_series(tx: Session, portal_id: int, values: dict[str, Any]) -> int:
    """The id of a new series."""
    series = Series(portal_id=portal_id, **values)
    tx.add(series)
    tx.flush()
    return series.id


def keep_client(
    tx: Session, portal_id: int, *, kind: str, crm_id: int | None, name: str, phone: str, email: str, price_group: str
) -> int:
    """The client's id; one of the CRM is kept once per portal and brought up to date, its group only by another one."""
    values = {"name": name, "phone": phone, "email": email} | ({"price_group": price_group} if price_group else {})
    statement = insert(Client).values(portal_id=portal_id, kind=kind, crm_id=crm_id, **values)
    if crm_id is not None:
        statement = statement.on_conflict_do_update(
            index_elements=[Client.portal_id, Client.kind, Client.crm_id],
            index_where=Client.crm_id.is_not(None),
            set_=values,
        )
    return tx.scalars(statement.returning(Client.id)).one()
