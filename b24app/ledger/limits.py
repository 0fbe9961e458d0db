"""A portal's limits as all processes share them: one short statement each, committed at once on its own connection.

Losing the last moments of the count in a crash costs nothing, so no statement waits for the disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from b24app.ledger.session import Engine

SILENT_SLOT = 8_024_003  # any constant: the advisory lock of whoever tries a portal that did not answer
LONGEST_AWAY = 60.0  # seconds
FIRST_SILENCE, LONGEST_SILENCE = 30.0, 900.0

# What a bucket holds by now; clocks of several machines may differ, so time never runs backwards in it.
_FILLED = (
    "least(%(burst)s, pace.tokens + greatest(0, extract(epoch FROM %(now)s::timestamptz - pace.counted_at)) * %(rate)s)"
)
_COUNTED = "greatest(pace.counted_at, %(now)s)"
_NO_DISK = "set_config('synchronous_commit', 'off', true)"
_PAUSED = "FROM method_pace WHERE portal_id = %(portal)s AND method = ANY(%(methods)s) AND paused_until > %(now)s"


@dataclass(frozen=True, slots=True)
class Terms:
    """How somebody draws from a portal's bucket: `floor` is how far down he need not wait, `rate` requests a second.

    `patience`: the longest wait in seconds. `waits`: stays away altogether while the portal asks for it or is silent.
    """

    burst: float
    floor: float
    rate: float
    patience: float
    waits: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """The place in the queue: `tokens` are left. `troubled`: the portal's last answer was a refusal, or none."""

    tokens: float
    troubled: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Why there is no turn now."""

    paused_until: datetime | None
    away_until: datetime | None
    silent_until: datetime | None
    tokens: float


def take(engine: Engine, portal_id: int, methods: Sequence[str], terms: Terms, now: datetime) -> Turn | None:
    """Takes one request out of the portal's bucket; None when none is to be had, see `standing`, or no portal.

    Who has to wait takes his all the same, and the bucket goes below the floor by those who wait already.
    """
    row = _row(
        engine,
        "INSERT INTO portal_pace AS pace (portal_id, tokens, counted_at)"
        f" SELECT %(portal)s, %(burst)s - 1, %(now)s WHERE NOT EXISTS (SELECT {_PAUSED})"
        f" ON CONFLICT (portal_id) DO UPDATE SET tokens = {_FILLED} - 1, counted_at = {_COUNTED}"
        f" WHERE {_FILLED} - 1 >= %(lowest)s AND (NOT %(waits)s OR"
        " greatest(pace.away_until, pace.silent_until, %(now)s) <= %(now)s)"
        f" RETURNING tokens, refusals > 0 OR silent_until IS NOT NULL, {_NO_DISK}",
        portal=portal_id, methods=list(methods), now=now, burst=terms.burst, rate=terms.rate, waits=terms.waits,
        lowest=terms.floor - terms.patience * terms.rate,
    )  # fmt: skip
    return Turn(row[0], row[1]) if row else None


def standing(engine: Engine, portal_id: int, methods: Sequence[str], terms: Terms, now: datetime) -> Standing | None:
    """What is in the way of these methods; None when there is no such portal any more."""
    row = _row(
        engine,
        f"SELECT (SELECT max(paused_until) {_PAUSED}), pace.away_until, pace.silent_until,"
        f" coalesce({_FILLED}, %(burst)s) FROM portal LEFT JOIN portal_pace AS pace ON pace.portal_id = portal.id"
        " WHERE portal.id = %(portal)s",
        portal=portal_id, methods=list(methods), now=now, burst=terms.burst, rate=terms.rate,
    )  # fmt: skip
    return Standing(*row) if row else None


def answered(
    engine: Engine, portal_id: int, worked: Mapping[str, tuple[float, datetime]], limit: float, *, breaks_silence: bool
) -> None:
    """The portal has answered: refusals and silence are over. By method, the seconds worked and until when they
    count; one that has reached the `limit` is paused."""
    methods = sorted(worked)  # everybody in the same order: two answers must not wait for each other
    _row(
        engine,
        "WITH noted AS (INSERT INTO method_pace AS pace (portal_id, method, operating, reset_at, paused_until)"
        " SELECT %(portal)s, method, operating, reset_at, CASE WHEN operating >= %(limit)s THEN reset_at END"
        " FROM unnest(%(methods)s::text[], %(seconds)s::float8[], %(resets)s::timestamptz[])"
        " AS said (method, operating, reset_at)"
        " ON CONFLICT (portal_id, method) DO UPDATE SET operating = excluded.operating,"
        " reset_at = excluded.reset_at, paused_until = excluded.paused_until),"
        " spoke AS (UPDATE portal_pace SET refusals = 0, away_until = NULL, silent_until = NULL"
        " WHERE portal_id = %(portal)s AND (%(breaks)s OR silent_until IS NULL)"
        " AND (refusals > 0 OR away_until IS NOT NULL OR silent_until IS NOT NULL))"
        f" SELECT {_NO_DISK}",
        portal=portal_id, methods=methods, seconds=[worked[one][0] for one in methods],
        resets=[worked[one][1] for one in methods], limit=limit, breaks=breaks_silence,
    )  # fmt: skip


def refused(engine: Engine, portal_id: int, level: float, share: float, now: datetime) -> datetime | None:
    """Too many requests: until when to stay away, twice as long after each refusal in a row, times `share`.

    The bucket holds no more than `level`: by the portal's count it is empty.
    """
    row = _row(
        engine,
        "UPDATE portal_pace SET tokens = least(tokens, %(level)s), counted_at = greatest(counted_at, %(now)s),"
        " refusals = refusals + 1,"
        " away_until = %(now)s + make_interval(secs => %(share)s * least(%(longest)s, 2.0 ^ least(refusals + 1, 10)))"
        f" WHERE portal_id = %(portal)s RETURNING away_until, {_NO_DISK}",
        portal=portal_id, level=level, share=share, longest=LONGEST_AWAY, now=now,
    )  # fmt: skip
    return row[0] if row else None


def fell_silent(engine: Engine, portal_id: int, share: float, now: datetime) -> datetime | None:
    """No answer came: until when the portal is left alone, twice as long each time, times `share`."""
    row = _row(
        engine,
        "UPDATE portal_pace SET refusals = refusals + 1,"
        " silent_until = %(now)s"
        " + make_interval(secs => %(share)s * least(%(longest)s, %(first)s * 2.0 ^ least(refusals, 10)))"
        f" WHERE portal_id = %(portal)s RETURNING silent_until, {_NO_DISK}",
        portal=portal_id, share=share, first=FIRST_SILENCE, longest=LONGEST_SILENCE, now=now,
    )  # fmt: skip
    return row[0] if row else None


def pause(engine: Engine, portal_id: int, method: str, otherwise: datetime, now: datetime) -> datetime:
    """The portal blocks this method: until when, by what it last said, or `otherwise`."""
    row = _row(
        engine,
        "INSERT INTO method_pace AS pace (portal_id, method, paused_until) VALUES (%(portal)s, %(method)s, %(until)s)"
        " ON CONFLICT (portal_id, method) DO UPDATE SET paused_until ="
        " CASE WHEN pace.reset_at > %(now)s THEN pace.reset_at ELSE excluded.paused_until END"
        f" RETURNING paused_until, {_NO_DISK}",
        portal=portal_id, method=method, until=otherwise, now=now,
    )  # fmt: skip
    return row[0] if row else otherwise


def operating(engine: Engine, portal_id: int, method: str, now: datetime) -> float:
    """The seconds that a method has worked and that are not forgiven yet."""
    row = _row(
        engine,
        "SELECT operating FROM method_pace"
        " WHERE portal_id = %(portal)s AND method = %(method)s AND reset_at > %(now)s",
        portal=portal_id, method=method, now=now,
    )  # fmt: skip
    return row[0] if row else 0.0


def silent_until(engine: Engine, portal_id: int) -> datetime | None:
    """Until when a portal is left alone whose last call got no answer; may have passed."""
    row = _row(engine, "SELECT silent_until FROM portal_pace WHERE portal_id = %(portal)s", portal=portal_id)
    return row[0] if row else None


@contextmanager
def silent_slot(engine: Engine) -> Iterator[bool]:
    """Whether this process alone, of all that share the database, tries portals that did not answer.

    A lock of the session: no transaction may be open during a call, and the server frees it when this process dies.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        key = {"slot": SILENT_SLOT}
        alone = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:slot, 0)"), key))
        try:
            yield alone
        finally:
            if alone:
                connection.execute(text("SELECT pg_advisory_unlock(:slot, 0)"), key)


def _row(engine: Engine, sql: str, **values: Any) -> Any:
    """The first row of one statement; None for the limits of a portal that was erased meanwhile."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            return connection.exec_driver_sql(sql, values).first()
        except IntegrityError:
            return None
