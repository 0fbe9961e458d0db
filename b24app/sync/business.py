"""Specialists' other business: what their own calendars say besides our bookings, read before it matters.

https://apidocs.bitrix24.com/api-reference/calendar/calendar-event/calendar-accessibility-get.html
Nothing here is under a transaction while it speaks with the portal, and nothing of names or places is kept: when
somebody cannot be booked is all that we want to know.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from b24app.bitrix.loose import as_map, flag, whole
from b24app.ledger import business, writes
from b24app.ledger.business import ONE_DAY, OfDay, Ours, Span, Wanted
from b24app.ledger.session import Engine, transaction
from b24app.scheduling.hours import day_interval
from b24app.scheduling.interval import Interval

WHEN_OFFERING = timedelta(minutes=2)
BEFORE_BOOKING = timedelta(seconds=30)
LONGEST_LOOK = timedelta(days=62)
MOST_PEOPLE = 50  # in one request
DAY_SECONDS = 24 * 3600
FREE, QUEST, BUSY, ABSENT = "free", "quest", "busy", "absent"
_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_CLOCK = re.compile(r"[1-9]\d?:\d\d|0?0:(?!00)\d\d")  # anything but midnight


class Client(Protocol):
    """A portal through anybody's token: a visitor's in his own request, the installation's in the background."""

    def call(self, method: str, params: Mapping[str, Any]) -> Any: ...


def refresh(
    engine: Engine,
    client: Callable[[], Client],
    portal_id: int,
    wanted: Wanted,
    window: Interval,
    *,
    now: datetime,
    older_than: timedelta,
) -> bool:
    """(calls) Reads the calendars of those who come into question, where what is kept is `older_than` that.

    Whether they say anything else than before. Raises what `client` and its `call` raise.
    """
    with transaction(engine) as tx:
        people = business.people(tx, portal_id, wanted)
    return bool(people) and read(engine, client, portal_id, people, window, now=now, older_than=older_than)


def read(
    engine: Engine,
    client: Callable[[], Client],
    portal_id: int,
    people: Mapping[int, ZoneInfo],
    window: Interval,
    *,
    now: datetime,
    older_than: timedelta,
) -> bool:
    """(calls) The same for people who are known already, with the clocks by which their days are meant."""
    days = business.days_of(Interval(window.start, min(window.end, window.start + LONGEST_LOOK)))
    window = Interval(_start_of(days[0]), _start_of(days[-1] + ONE_DAY))
    with transaction(engine) as tx:
        known = business.kept(tx, portal_id, people, window)
    stale = {
        user_id: zone
        for user_id, zone in people.items()
        if any((user_id, day) not in known or known[user_id, day].read_at < now - older_than for day in days)
    }
    changed = False
    for some in _portions(stale):
        answer = as_map(client().call("calendar.accessibility.get", _question(some, days)))
        changed |= _keep(engine, portal_id, some, window, answer, now)
    return changed


def _portions(people: Mapping[int, ZoneInfo]) -> Iterable[dict[int, ZoneInfo]]:
    ordered = iter(sorted(people.items()))
    while portion := dict(islice(ordered, MOST_PEOPLE)):
        yield portion


def _question(people: Iterable[int], days: Sequence[date]) -> dict[str, Any]:
    """Its days are the caller's, so that one more on each side covers ours in any zone."""
    return {
        "users": list(people),
        "from": (days[0] - ONE_DAY).isoformat(),
        "to": (days[-1] + ONE_DAY).isoformat(),
    }


def _keep(
    engine: Engine,
    portal_id: int,
    people: Mapping[int, ZoneInfo],
    window: Interval,
    answer: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Keeps what was answered; of whom nothing was said, nothing is known. Whether it is anything new."""
    told = {user_id: _rows(answer[str(user_id)]) for user_id in people if str(user_id) in answer}
    ids = {event_id for rows in told.values() for row in rows if (event_id := whole(row.get("ID"))) is not None}
    with transaction(engine) as tx:
        ours = business.ours(tx, portal_id, told, ids, window)
        known = business.kept(tx, portal_id, told, window)
        read: dict[OfDay, list[Span]] = {}
        for user_id, rows in told.items():
            spans = spans_of(user_id, rows, people[user_id], ours)
            read |= {(user_id, day): cut for day, cut in by_day(spans, business.days_of(window)).items()}
        business.keep(tx, portal_id, read, now)
        changed = any(tuple(spans) != (known[key].spans if key in known else ()) for key, spans in read.items())
        if changed:
            writes.board_changed(tx, portal_id)
    return changed


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in as_map(value).values() if isinstance(row, dict)]


def spans_of(user_id: int, rows: Iterable[Mapping[str, Any]], zone: ZoneInfo, ours: Ours) -> list[Span]:
    """When he is busy, absent or perhaps busy besides our bookings; whole days by his own clock."""
    found = []
    for row in rows:
        kind, during = _kind(row), _during(row, zone)
        if kind == FREE or during is None or _is_ours(user_id, row, during, ours):
            continue
        found.append((*during, kind))
    return found


def _kind(row: Mapping[str, Any]) -> str:
    """How he is busy; what the portal does not name is busy, as in its own planner."""
    kind = str(row.get("ACCESSIBILITY") or BUSY)
    return kind if kind in (FREE, QUEST, ABSENT) else BUSY


def _is_ours(user_id: int, row: Mapping[str, Any], during: tuple[int, int], ours: Ours) -> bool:
    """Absences of the personnel records have numbers of their own, which may be those of our events."""
    if flag(row.get("FROM_HR")):
        return False
    return whole(row.get("ID")) in ours.ids or (user_id, *during) in ours.times


def _during(row: Mapping[str, Any], zone: ZoneInfo) -> tuple[int, int] | None:
    """From when to when; None for what cannot be read."""
    start, end = whole(row.get("DATE_FROM_TS_UTC")), whole(row.get("DATE_TO_TS_UTC"))
    if start is None or end is None:
        return _absence(row, zone)
    if flag(row.get("DT_SKIP_TIME")):  # midnights in UTC of its dates, the last one included
        return _whole_days(_utc_day(start), _utc_day(end), zone)
    return (start, end) if start < end else None


def _absence(row: Mapping[str, Any], zone: ZoneInfo) -> tuple[int, int] | None:
    """An absence of the personnel records: other keys, the last day included.

    Its instants are midnights of the server, whose zone we do not know: the nearest midnight in UTC tells the date.
    """
    start, end = whole(row.get("FROM")), whole(row.get("TO"))
    written = [str(row.get(name) or "") for name in ("DT_FROM", "DT_TO")]
    if start is not None and end is not None:
        if start < end and any(_CLOCK.search(one) for one in written):
            return start, end
        return _whole_days(_nearest_day(start), _nearest_day(end), zone)
    first, last = (_written_day(one) for one in written)
    return _whole_days(first, last, zone) if first and last else None


def _whole_days(first: date, last: date, zone: ZoneInfo) -> tuple[int, int] | None:
    try:
        start, end = day_interval(first, zone).start, day_interval(last, zone).end
    except ValueError:  # a day that this zone has left out
        return None
    return (int(start.timestamp()), int(end.timestamp())) if start < end else None


def _utc_day(epoch: int) -> date:
    return datetime.fromtimestamp(epoch, UTC).date()


def _nearest_day(epoch: int) -> date:
    return _utc_day(epoch + DAY_SECONDS // 2)


def _written_day(text: str) -> date | None:
    found = _DAY.match(text)
    try:
        return date(int(found[3]), int(found[2]), int(found[1])) if found else None
    except ValueError:
        return None


def by_day(spans: Iterable[Span], days: Iterable[date]) -> dict[date, list[Span]]:
    """The same cut at the midnights of these days, each of them named."""
    found: dict[date, list[Span]] = {day: [] for day in days}
    cuts: dict[date, set[Span]] = defaultdict(set)
    for start, end, kind in spans:
        day = _utc_day(start)
        while (midnight := int(_start_of(day).timestamp())) < end:
            cuts[day].add((max(start, midnight), min(end, midnight + DAY_SECONDS), kind))
            day += ONE_DAY
    return {day: sorted(cuts[day]) for day in found}


def _start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
