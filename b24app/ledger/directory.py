"""Departments within departments and members of groups: which access codes somebody has besides his own.

The portal tells of a person in which departments he sits; what those are part of, and who is in a project group, is
read now and then (`sync.directory`) and counts from then on for everybody at once, whatever his page was given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from b24app.ledger import queue
from b24app.ledger.access import DECIDES, EVERYTHING, GrantRule
from b24app.ledger.session import Engine, read_alone, run, select_rows

REFRESH = "sync.directory"
WiderOf = Callable[[Collection[str]], Iterable[str]]
# Rights given to these cannot be told from what the portal says of a single person.
_NAMED = "code ~ '^(D|SG)'"

# What decides which grants concern somebody with the codes %(codes)s, user %(user)s: all that there are, what else
# comes with his codes, and for whom he stands in at %(now)s. A part of the statement that begins every request of a
# page: joined in SQL it took a millisecond to plan, and most portals have neither groups nor absences in their rights.
PARTS = """
(SELECT json_agg(json_build_array(g.scope, g.code, g."right") ORDER BY g.id) FROM access_grant g
 WHERE g.portal_id = %(portal)s),
(SELECT json_agg(m.wider) FROM membership m WHERE m.portal_id = %(portal)s AND m.code = ANY(%(codes)s::text[])),
(SELECT json_agg(json_build_array(u.codes, u.user_id, u.is_admin)) FROM portal_user u
 WHERE u.portal_id = %(portal)s AND u.stand_in = %(user)s::bigint AND u.away_until > %(now)s::timestamptz
   AND NOT u.dismissed)
"""


def values(portal_id: int, codes: Collection[str], now: datetime | None) -> dict[str, Any]:
    """The parameters of `PARTS`; without `now` nobody is stood in for."""
    return {"portal": portal_id, "codes": sorted(codes), "user": user_of(codes), "now": now}


def concerning(parts: Sequence[Any], codes: Collection[str], wider_of: WiderOf) -> tuple[GrantRule, ...]:
    """The grants that concern somebody with these codes: his own, those of departments above and of groups, and what he
    may approve for whom he stands in for. `parts`: what `PARTS` brought; `wider_of` is asked where he does so."""
    every, wider, absent = ([GrantRule(*row) for row in parts[0] or ()], parts[1] or (), parts[2] or ())
    mine = {*codes, *wider}
    found = [one for one in every if one.code in mine]
    for others_codes, user_id, is_admin in absent:
        theirs = {*others_codes, *wider_of(others_codes)}
        deciding = [one for one in every if one.right in DECIDES and one.code in theirs]
        found += [replace(one, right="approve") for one in deciding]
        if is_admin:
            found.append(GrantRule(EVERYTHING, f"U{user_id}", "approve"))
    return tuple(found)


_WIDER = "SELECT wider FROM membership WHERE portal_id = %(portal)s AND code = ANY(%(codes)s::text[])"


def wider(tx: Session, portal_id: int, codes: Collection[str]) -> list[str]:
    """What else somebody with these codes has."""
    return [row[0] for row in select_rows(tx, _WIDER, portal=portal_id, codes=sorted(codes))]


def wider_alone(engine: Engine, portal_id: int, codes: Collection[str]) -> list[str]:
    """The same in no transaction."""
    return [row[0] for row in read_alone(engine, _WIDER, portal=portal_id, codes=sorted(codes))]


def user_of(codes: Collection[str]) -> int | None:
    """The person whose codes these are; None for nobody's."""
    return next((int(one[1:]) for one in codes if one.startswith("U") and one[1:].isdecimal()), None)


class Named(NamedTuple):
    """What rights are given to, by what has to be read: department ids, group ids, user ids; `decides`: of these codes
    the ones that may approve."""

    departments: frozenset[int]
    groups: frozenset[int]
    users: frozenset[int]
    decides: frozenset[str]


def named(tx: Session, portal_id: int) -> Named:
    """Everything that grants of this portal name."""
    rows = select_rows(tx, 'SELECT code, "right" FROM access_grant WHERE portal_id = %(portal)s', portal=portal_id)
    codes = {row[0] for row in rows}
    return Named(
        departments=frozenset(_numbers(codes, "DR") | _numbers(codes, "D")),
        groups=frozenset(_numbers({one.partition("_")[0] for one in codes}, "SG")),
        users=frozenset(_numbers(codes, "U")),
        decides=frozenset(row[0] for row in rows if row[1] in ("approve", "manage")),
    )


def _numbers(codes: Iterable[str], prefix: str) -> set[int]:
    own = (one.removeprefix(prefix) for one in codes if one.startswith(prefix))
    return {int(number) for number in own if number.isdecimal()}


def keep(
    tx: Session, portal_id: int, links: Collection[tuple[str, str]], names: Mapping[str, str], now: datetime
) -> None:
    """From now on these count, each a code and a wider one that comes with it."""
    values = {"portal": portal_id, "codes": [one[0] for one in links], "wider": [one[1] for one in links]}
    run(tx, _GONE, **values)
    run(tx, _NEW, **values)
    run(tx, _READ, portal=portal_id, now=now, names=Jsonb(dict(names)), problem="")


_WANTED = "SELECT * FROM unnest(%(codes)s::text[], %(wider)s::text[]) AS w (code, wider)"
_GONE = f"DELETE FROM membership m WHERE m.portal_id = %(portal)s AND (m.code, m.wider) NOT IN ({_WANTED})"
_NEW = f"""
INSERT INTO membership (portal_id, code, wider) SELECT DISTINCT %(portal)s::bigint, n.* FROM ({_WANTED}) n
ON CONFLICT DO NOTHING
"""
_READ = """
INSERT INTO directory (portal_id, read_at, names, problem) VALUES (%(portal)s, %(now)s, %(names)s, %(problem)s)
ON CONFLICT (portal_id) DO UPDATE SET read_at = coalesce(excluded.read_at, directory.read_at),
    names = directory.names || excluded.names, problem = excluded.problem
"""


def failed(tx: Session, portal_id: int, problem: str) -> None:
    """It could not be read; what is known stays. `problem`: a code for settings, "" where time will mend it."""
    run(tx, _READ, portal=portal_id, now=None, names=Jsonb({}), problem=problem)


def keep_names(tx: Session, portal_id: int, names: Mapping[str, str]) -> None:
    """What departments and groups are called, as just seen."""
    found = {code: name for code, name in names.items() if code.startswith(("D", "SG"))}
    if found:
        run(tx, _NAMES, portal=portal_id, names=Jsonb(found))


_NAMES = """
INSERT INTO directory (portal_id, names) VALUES (%(portal)s, %(names)s)
ON CONFLICT (portal_id) DO UPDATE SET names = directory.names || excluded.names
"""


class Known(NamedTuple):
    """What settings say of it: names by code, and why nothing newer could be read ("" when it could)."""

    names: Mapping[str, str]
    problem: str
    read_at: datetime | None


def known(tx: Session, portal_id: int) -> Known:
    """As last read."""
    sql = "SELECT names, problem, read_at FROM directory WHERE portal_id = %(portal)s"
    rows = select_rows(tx, sql, portal=portal_id)
    return Known(*rows[0]) if rows else Known({}, "", None)


_ASK = f"""
INSERT INTO directory (portal_id, asked_at) SELECT %(portal)s, %(now)s
WHERE EXISTS (SELECT FROM access_grant WHERE portal_id = %(portal)s AND {_NAMED})
ON CONFLICT (portal_id) DO UPDATE SET asked_at = excluded.asked_at
    WHERE directory.asked_at IS NULL OR directory.asked_at <= %(since)s
RETURNING 1
"""


def ask(tx: Session, portal_id: int, now: datetime, *, since: datetime) -> bool:
    """Has it read anew unless that was asked for after `since`, or nothing needs it; call it last in a transaction."""
    asked = bool(select_rows(tx, _ASK, portal=portal_id, now=now, since=since))
    if asked:
        queue.defer(tx, REFRESH, once=f"directory:{portal_id}", portal_id=portal_id)
    return asked


_OVERDUE = f"""
SELECT p.id FROM portal p LEFT JOIN directory d ON d.portal_id = p.id
WHERE (d.asked_at IS NULL OR d.asked_at <= %(since)s)
  AND EXISTS (SELECT FROM access_grant WHERE portal_id = p.id AND {_NAMED})
  AND EXISTS (SELECT FROM installation i WHERE i.portal_id = p.id AND i.state = 'active')
ORDER BY d.asked_at NULLS FIRST, p.id LIMIT %(limit)s
"""


def overdue(tx: Session, since: datetime, limit: int = 50) -> list[int]:
    """Portals where somebody's rights hang on departments or groups that were not asked for after `since`."""
    return [row[0] for row in select_rows(tx, _OVERDUE, since=since, limit=limit)]
