"""Interval arithmetic against counting minutes in a set: slow, obvious, and wrong in no way that ours could be."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24app.scheduling.interval import Interval, merge, subtract

ZERO = datetime(2026, 3, 1, tzinfo=UTC)


def minute(n: int) -> datetime:
    return ZERO + timedelta(minutes=n)


def span(start: int, end: int) -> Interval:
    return Interval(minute(start), minute(end))


def counted(intervals: list[Interval]) -> set[int]:
    return {
        n
        for one in intervals
        for n in range(int((one.start - ZERO).total_seconds() // 60), int((one.end - ZERO).total_seconds() // 60))
    }


spans = st.lists(
    st.tuples(st.integers(0, 120), st.integers(1, 40)).map(lambda pair: span(pair[0], pair[0] + pair[1])), max_size=8
)


def test_touching_intervals_do_not_overlap() -> None:
    assert not span(0, 60).overlaps(span(60, 120))
    assert span(0, 61).overlaps(span(60, 120))


@pytest.mark.parametrize(("start", "end"), [(5, 5), (6, 5)])
def test_an_interval_ends_after_it_starts(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="after it starts"):
        span(start, end)


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Interval(datetime(2026, 3, 1), datetime(2026, 3, 2))


@given(spans)
def test_merge_keeps_every_minute_and_leaves_gaps_between(intervals: list[Interval]) -> None:
    merged = merge(intervals)
    assert counted(merged) == counted(intervals)
    assert all(a.end < b.start for a, b in itertools.pairwise(merged))


@given(spans, spans)
def test_subtract_is_subtraction_of_minutes(intervals: list[Interval], taken: list[Interval]) -> None:
    left = subtract(intervals, taken)
    assert counted(left) == counted(intervals) - counted(taken)
    assert left == merge(left)


@given(spans, spans)
def test_intersect_and_overlaps_agree(first: list[Interval], second: list[Interval]) -> None:
    for a in first:
        for b in second:
            common = a.intersect(b)
            assert (common is not None) == a.overlaps(b) == bool(counted([a]) & counted([b]))
            if common:
                assert counted([common]) == counted([a]) & counted([b])
