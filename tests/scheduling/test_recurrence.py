"""Series: their dates, what is refused, and the clock changes between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrule
from hypothesis import given
from hypothesis import strategies as st

from b24app.scheduling.hours import local_instant
from b24app.scheduling.interval import Interval
from b24app.scheduling.recurrence import MOST_OCCURRENCES, Occurrence, Recurrence, check, dates, occurrences
from tests.scheduling.cases import examples

MOSCOW, BERLIN, CAIRO = (ZoneInfo(name) for name in ("Europe/Moscow", "Europe/Berlin", "Africa/Cairo"))
TUESDAY = date(2026, 3, 10)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def march(*days: int) -> list[date]:
    return [date(2026, 3, day) for day in days]


@pytest.mark.parametrize(
    ("recurrence", "expected"),
    [
        (Recurrence("daily", count=3), march(10, 11, 12)),
        (Recurrence("daily", every=5, until=date(2026, 3, 20)), march(10, 15, 20)),
        (Recurrence("daily", every=5, until=date(2026, 3, 19)), march(10, 15)),
        (Recurrence("weekly", count=3), march(10, 17, 24)),
        (Recurrence("weekly", weekdays=(1, 3), count=4), march(10, 12, 17, 19)),
        (Recurrence("weekly", weekdays=(3, 1, 1), count=4), march(10, 12, 17, 19)),
        (Recurrence("weekly", weekdays=(4,), count=2), march(13, 20)),
        # Every second week is counted from the week of the first date: Monday the 9th is over, the 16th is off.
        (Recurrence("weekly", every=2, weekdays=(0, 3), count=3), march(12, 23, 26)),
        (Recurrence("daily", weekdays=(5, 6), count=2), march(10, 11)),
        (Recurrence("monthly", count=3), [date(2026, month, 10) for month in (3, 4, 5)]),
        (Recurrence("monthly", every=12, count=2), [date(2026, 3, 10), date(2027, 3, 10)]),
        (Recurrence("daily", count=1), march(10)),
        (Recurrence("daily", until=TUESDAY), march(10)),
    ],
)
def test_dates_of_a_series(recurrence: Recurrence, expected: list[date]) -> None:
    assert dates(recurrence, TUESDAY) == expected
    assert check(recurrence, TUESDAY) == {}


def test_months_that_lack_the_day_are_skipped() -> None:
    monthly = Recurrence("monthly", count=4)
    assert dates(monthly, date(2026, 1, 31)) == [date(2026, month, 31) for month in (1, 3, 5, 7)]
    assert dates(Recurrence("monthly", every=12, count=2), date(2024, 2, 29)) == [date(2024, 2, 29), date(2028, 2, 29)]


def test_exceptions_are_left_out_and_not_made_up_for() -> None:
    series = Recurrence("weekly", count=3, except_days=frozenset(march(17, 18)))
    assert dates(series, TUESDAY) == march(10, 24)


def test_a_series_all_of_whose_dates_were_left_out_has_none() -> None:
    series = Recurrence("weekly", count=2, except_days=frozenset(march(10, 17)))
    assert dates(series, TUESDAY) == []
    assert check(series, TUESDAY) == {"except_days": "no_dates"}


@pytest.mark.parametrize(
    ("recurrence", "wrong"),
    [
        (Recurrence("hourly", count=2), {"freq": "unknown_choice"}),
        (Recurrence("", count=2), {"freq": "unknown_choice"}),
        (Recurrence("daily", every=0, count=2), {"every": "out_of_range"}),
        (Recurrence("daily", every=-1, count=2), {"every": "out_of_range"}),
        (Recurrence("daily", every=100, count=2), {"every": "out_of_range"}),
        (Recurrence("weekly", weekdays=(7,), count=2), {"weekdays": "unknown_choice"}),
        (Recurrence("weekly", weekdays=(-1,), count=2), {"weekdays": "unknown_choice"}),
        (Recurrence("daily"), {"count": "required"}),
        (Recurrence("daily", count=0), {"count": "out_of_range"}),
        (Recurrence("daily", count=-5), {"count": "out_of_range"}),
        (Recurrence("daily", count=MOST_OCCURRENCES), {}),
        (Recurrence("daily", count=MOST_OCCURRENCES + 1), {"count": "too_many_dates"}),
        (Recurrence("daily", count=10_000), {"count": "too_many_dates"}),
        (Recurrence("daily", until=TUESDAY + 365 * DAY), {}),
        (Recurrence("daily", until=TUESDAY + 366 * DAY), {"until": "too_many_dates"}),
        (Recurrence("daily", until=TUESDAY + 9_999 * DAY), {"until": "too_many_dates"}),
        (Recurrence("daily", count=3, until=TUESDAY + DAY), {"until": "both_ends"}),
        (Recurrence("daily", until=TUESDAY - DAY), {"until": "until_before_start"}),
        (Recurrence("weekly", weekdays=(0,), until=TUESDAY + 5 * DAY), {"until": "no_dates"}),
        (Recurrence("often", every=0), {"freq": "unknown_choice", "every": "out_of_range", "count": "required"}),
    ],
)
def test_what_cannot_be_a_series_is_named_by_its_field(recurrence: Recurrence, wrong: dict[str, str]) -> None:
    assert check(recurrence, TUESDAY) == wrong


@pytest.mark.parametrize(
    "recurrence",
    [
        Recurrence("daily"),
        Recurrence("daily", every=0, count=2),
        Recurrence("daily", count=10_000),
        Recurrence("daily", until=date.max),
    ],
)
def test_what_was_not_checked_has_no_dates(recurrence: Recurrence) -> None:
    with pytest.raises(ValueError, match=r"too.many|required|out_of_range"):
        dates(recurrence, TUESDAY)


def test_no_more_dates_than_allowed_are_ever_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A milliard, or the three million up to the year 9999, are refused without making them."""
    made: list[datetime] = []

    def counted(*args: Any, **kwargs: Any) -> Iterator[datetime]:
        for at in rrule(*args, **kwargs):
            made.append(at)
            yield at

    monkeypatch.setattr("b24app.scheduling.recurrence.rrule", counted)
    assert check(Recurrence("daily", count=10**9), TUESDAY) == {"count": "too_many_dates"}
    assert made == []
    assert check(Recurrence("daily", until=date.max), TUESDAY) == {"until": "too_many_dates"}
    assert len(made) == MOST_OCCURRENCES + 1


def test_a_series_survives_json() -> None:
    series = Recurrence("weekly", 2, (1, 3), None, date(2026, 6, 1), frozenset(march(17, 12)))
    kept = json.loads(json.dumps(series.as_dict()))
    assert Recurrence.from_dict(kept) == series
    assert kept["except_days"] == ["2026-03-12", "2026-03-17"]
    assert Recurrence.from_dict({"freq": "daily", "count": 2}) == Recurrence("daily", count=2)


def test_local_time_is_kept_over_a_change_of_the_clock() -> None:
    sundays = occurrences(Recurrence("weekly", count=2), date(2026, 3, 22), 10 * 60, HOUR, BERLIN)
    assert [one.interval.start for one in sundays] == [
        datetime(2026, 3, 22, 9, tzinfo=UTC),
        datetime(2026, 3, 29, 8, tzinfo=UTC),
    ]
    assert not any(one.shifted for one in sundays)


def test_a_start_that_does_not_exist_comes_as_much_later_and_is_marked() -> None:
    nights = occurrences(Recurrence("daily", count=3), date(2026, 3, 28), 150, HOUR, BERLIN)
    assert [one.shifted for one in nights] == [False, True, False]
    start = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 3:30, half an hour after the change
    assert nights[1] == Occurrence(date(2026, 3, 29), Interval(start, start + HOUR), shifted=True)


def test_a_start_that_exists_twice_is_the_first_and_is_marked() -> None:
    nights = occurrences(Recurrence("daily", count=3), date(2026, 10, 24), 150, HOUR, BERLIN)
    assert [one.shifted for one in nights] == [False, True, False]
    assert nights[1].interval.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_booking_over_the_change_keeps_its_elapsed_time() -> None:
    (night,) = occurrences(Recurrence("daily", count=1), date(2026, 10, 25), 60, 3 * HOUR, BERLIN)
    assert night.interval.duration == 3 * HOUR
    assert not night.shifted


def test_a_midnight_that_does_not_exist_is_marked() -> None:
    (friday,) = occurrences(Recurrence("daily", count=1), date(2026, 4, 24), 0, HOUR, CAIRO)
    assert (friday.shifted, friday.interval.start) == (True, datetime(2026, 4, 23, 22, tzinfo=UTC))


def test_a_year_of_occurrences_has_each_local_start() -> None:
    found = occurrences(Recurrence("daily", count=366), TUESDAY, 9 * 60, HOUR, MOSCOW)
    assert len(found) == 366
    assert all(one.interval.start == local_instant(one.day, 9 * 60, MOSCOW) for one in found)


# Against a model that asks of every day whether it belongs to the series.

frequencies = st.sampled_from(["daily", "weekly", "monthly"])
# Thirty dates are eighty years at most: those of the 31st in every eighth month.
ends = st.integers(1, 30) | st.integers(0, 800).map(lambda n: n * DAY)


def belongs(recurrence: Recurrence, first: date, day: date) -> bool:
    if recurrence.freq == "daily":
        return (day - first).days % recurrence.every == 0
    if recurrence.freq == "weekly":
        weeks = ((day - day.weekday() * DAY) - (first - first.weekday() * DAY)).days // 7
        return weeks % recurrence.every == 0 and day.weekday() in (recurrence.weekdays or (first.weekday(),))
    months = (day.year - first.year) * 12 + day.month - first.month
    return months % recurrence.every == 0 and day.day == first.day


def every_date(recurrence: Recurrence, first: date, most: int) -> list[date]:
    """The first of them, exceptions among them, found by asking every day of eighty years."""
    last = recurrence.until or first + 80 * 366 * DAY
    wanted = min(most, recurrence.count or most)
    days = (first + n * DAY for n in range((last - first).days + 1))
    return list(islice((day for day in days if belongs(recurrence, first, day)), wanted))


@pytest.mark.prove
@examples(50, 3_000)
@given(
    frequencies,
    st.integers(1, 8),
    st.lists(st.integers(0, 6), max_size=4),
    st.dates(date(2023, 1, 1), date(2028, 12, 31)),
    ends,
    st.frozensets(st.integers(0, 40), max_size=5),
)
def test_dates_are_the_days_that_belong_to_the_series(
    freq: str, every: int, weekdays: list[int], first: date, end: int | timedelta, left_out: frozenset[int]
) -> None:
    recurrence = Recurrence(
        freq,
        every,
        tuple(weekdays),
        count=end if isinstance(end, int) else None,
        until=None if isinstance(end, int) else first + end,
        except_days=frozenset(first + n * DAY for n in left_out),
    )
    found = every_date(recurrence, first, MOST_OCCURRENCES + 1)
    kept = [day for day in found if day not in recurrence.except_days]
    if len(found) > MOST_OCCURRENCES:
        assert check(recurrence, first) == {"until": "too_many_dates"}
        return
    assert dates(recurrence, first) == kept
    assert check(recurrence, first) == ({} if kept else {"except_days" if found else "until": "no_dates"})
