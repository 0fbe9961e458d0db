"""Opening hours: zones, midnight, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from b24app.scheduling.hours import (
    Closure,
    DoubledHour,
    MissingHour,
    OpeningHours,
    Reason,
    Stretch,
    Timetable,
    clock_reaches,
    day_interval,
    local_instant,
    open_intervals,
    overlapping_hours,
    wall_instant,
    why_closed,
    wrong_special,
)
from b24app.scheduling.interval import Interval

MOSCOW, BERLIN, YEKATERINBURG = (ZoneInfo(n) for n in ("Europe/Moscow", "Europe/Berlin", "Asia/Yekaterinburg"))
CAIRO, NUUK, ST_JOHNS, HAVANA = (
    ZoneInfo(n) for n in ("Africa/Cairo", "America/Nuuk", "America/St_Johns", "America/Havana")
)
NINE_TO_SIX = tuple(OpeningHours(weekday, 9 * 60, 18 * 60) for weekday in range(5))
SUNDAY, MONDAY, TUESDAY, FRIDAY, SATURDAY = (date(2026, 3, day) for day in (8, 9, 10, 13, 14))


def utc(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def open_on(timetable: Timetable, day: date) -> list[tuple[int, int]]:
    """What is open on a local day, in elapsed minutes since it began."""
    whole = day_interval(day, timetable.zone)
    minute = timedelta(minutes=1)
    return [
        ((one.start - whole.start) // minute, (one.end - whole.start) // minute)
        for one in open_intervals(timetable, whole)
    ]


def test_hours_are_of_the_resources_own_zone() -> None:
    hours = (OpeningHours(1, 9 * 60, 18 * 60),)  # Tuesday
    window = Interval(utc(10, 0), utc(11, 0))
    assert open_intervals(Timetable(MOSCOW, hours), window) == [Interval(utc(10, 6), utc(10, 15))]
    assert open_intervals(Timetable(YEKATERINBURG, hours), window) == [Interval(utc(10, 4), utc(10, 13))]


def test_hours_past_midnight_reach_into_the_next_day() -> None:
    nights = Timetable(MOSCOW, (OpeningHours(0, 20 * 60, 26 * 60),))  # Monday 20:00 – Tuesday 02:00
    assert open_on(nights, TUESDAY) == [(0, 120)]


def test_all_day_hours_join_over_midnight() -> None:
    always = Timetable(MOSCOW, tuple(OpeningHours(day, 0, 1440) for day in range(7)))
    window = Interval(utc(10, 0), utc(12, 0))
    assert open_intervals(always, window) == [window]


@pytest.mark.parametrize(
    ("day", "hours_long"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)]
)
def test_a_day_with_a_clock_change_has_its_true_length(day: date, hours_long: int) -> None:
    assert day_interval(day, BERLIN).duration == timedelta(hours=hours_long)


def test_a_wall_time_that_does_not_exist_moves_past_the_change() -> None:
    # 02:30 on 29 March does not exist in Berlin: clocks jump from 02:00 to 03:00, which is 01:00 UTC.
    assert local_instant(date(2026, 3, 29), 150, BERLIN) == utc(29, 1, 30)


def test_a_wall_time_that_exists_twice_is_the_first() -> None:
    assert local_instant(date(2026, 10, 25), 150, BERLIN) == utc(25, 0, 30, month=10)


@pytest.mark.parametrize(
    ("weekday", "opens", "closes"), [(7, 0, 60), (0, -1, 60), (0, 60, 60), (0, 60, 59), (0, 0, 1441)]
)
def test_impossible_hours_are_refused(weekday: int, opens: int, closes: int) -> None:
    with pytest.raises(ValueError, match="opening hours"):
        OpeningHours(weekday, opens, closes)


@pytest.mark.parametrize(
    ("hours", "clash"),
    [
        ([OpeningHours(0, 540, 720), OpeningHours(0, 720, 900)], False),
        ([OpeningHours(0, 540, 721), OpeningHours(0, 720, 900)], True),
        ([OpeningHours(0, 1200, 1500), OpeningHours(1, 30, 600)], True),
        ([OpeningHours(6, 1200, 1500), OpeningHours(0, 30, 600)], True),
        ([OpeningHours(6, 1200, 1500), OpeningHours(0, 60, 600)], False),
        ([], False),
    ],
)
def test_overlapping_stretches_are_found_around_the_week(hours: list[OpeningHours], clash: bool) -> None:
    assert (overlapping_hours(hours) is not None) == clash


# Special dates, holidays, workdays, closures


def test_a_special_date_replaces_the_week() -> None:
    timetable = Timetable(MOSCOW, NINE_TO_SIX, special={TUESDAY: (Stretch(600, 720), Stretch(780, 840)), SUNDAY: ()})
    assert open_on(timetable, TUESDAY) == [(600, 720), (780, 840)]
    assert open_on(timetable, MONDAY) == [(540, 1080)]


def test_a_special_date_without_hours_is_closed() -> None:
    assert open_on(Timetable(MOSCOW, NINE_TO_SIX, special={TUESDAY: ()}), TUESDAY) == []


def test_a_special_date_opens_a_holiday() -> None:
    holidays = frozenset({MONDAY, TUESDAY})
    timetable = Timetable(MOSCOW, NINE_TO_SIX, special={TUESDAY: (Stretch(600, 720),)}, holidays=holidays)
    assert (open_on(timetable, MONDAY), open_on(timetable, TUESDAY)) == ([], [(600, 720)])


def test_a_working_saturday_has_the_hours_of_friday() -> None:
    week = (*NINE_TO_SIX[:4], OpeningHours(4, 540, 1020))
    timetable = Timetable(MOSCOW, week, workdays=frozenset({SATURDAY}))
    assert open_on(timetable, SATURDAY) == [(540, 1020)]
    assert open_on(timetable, SATURDAY + timedelta(days=7)) == []


def test_a_working_saturday_with_hours_of_its_own_keeps_them() -> None:
    week = (*NINE_TO_SIX, OpeningHours(5, 600, 840))
    assert open_on(Timetable(MOSCOW, week, workdays=frozenset({SATURDAY})), SATURDAY) == [(600, 840)]


def test_a_workday_that_is_a_holiday_too_is_closed() -> None:
    one = frozenset({SATURDAY})
    assert open_on(Timetable(MOSCOW, NINE_TO_SIX, holidays=one, workdays=one), SATURDAY) == []


def test_the_night_into_a_holiday_belongs_to_its_eve() -> None:
    nights = tuple(OpeningHours(day, 20 * 60, 26 * 60) for day in range(7))
    timetable = Timetable(MOSCOW, nights, holidays=frozenset({TUESDAY}))
    assert open_on(timetable, TUESDAY) == [(0, 120)]
    assert open_on(timetable, TUESDAY + timedelta(days=1)) == [(20 * 60, 1440)]


def test_special_hours_may_pass_midnight() -> None:
    timetable = Timetable(MOSCOW, NINE_TO_SIX, special={MONDAY: (Stretch(20 * 60, 27 * 60),)})
    assert open_on(timetable, TUESDAY) == [(0, 180), (540, 1080)]


def test_a_closure_is_taken_away_from_special_hours_too() -> None:
    closure = Closure(Interval(utc(10, 7), utc(10, 8)), "Ремонт")  # 10:00–11:00 in Moscow
    timetable = Timetable(MOSCOW, special={TUESDAY: (Stretch(540, 720),)}, closures=(closure,))
    assert open_on(timetable, TUESDAY) == [(540, 600), (660, 720)]


def test_overlapping_hours_and_closures_are_as_one() -> None:
    week = (OpeningHours(1, 540, 720), OpeningHours(1, 600, 900))
    closures = (Closure(Interval(utc(10, 7), utc(10, 9))), Closure(Interval(utc(10, 8), utc(10, 10))))
    assert open_on(Timetable(MOSCOW, week, closures=closures), TUESDAY) == [(540, 600), (780, 900)]


def test_timetables_that_are_equal_are_one_key() -> None:
    """The board works hours out once for all resources that share them."""
    one, same = (Timetable(MOSCOW, NINE_TO_SIX, special={TUESDAY: ()}) for _ in range(2))
    assert {one: "known"}[same] == "known"


# Changes of the clock


@pytest.mark.parametrize(
    ("opens", "closes", "opened"),
    [
        (60, 240, [(60, 180)]),  # 1:00–4:00 lasts two hours
        (150, 240, [(120, 180)]),  # opens at 2:30, which does not come: at 3:00
        (60, 150, [(60, 120)]),  # closes at 2:30, which does not come: at 2:00, which is 3:00
        (125, 175, []),
        (150, 195, [(120, 135)]),  # from a time that does not exist to 3:15
    ],
)
def test_hours_begin_and_end_at_the_change_when_the_clock_goes_over_them(
    opens: int, closes: int, opened: list[tuple[int, int]]
) -> None:
    sunday = date(2026, 3, 29)  # 2:00 becomes 3:00
    assert open_on(Timetable(BERLIN, special={sunday: (Stretch(opens, closes),)}), sunday) == opened


def test_a_break_stays_a_break_when_the_clock_goes_over_its_start() -> None:
    sunday = date(2026, 3, 29)
    hours = (Stretch(60, 150), Stretch(195, 300))  # 1:00–2:30, 3:15–5:00
    assert open_on(Timetable(BERLIN, special={sunday: hours}), sunday) == [(60, 120), (135, 240)]


@pytest.mark.parametrize(
    ("opens", "closes", "opened"),
    [
        (60, 240, [(60, 300)]),  # 1:00–4:00 lasts four hours
        (150, 240, [(150, 300)]),  # from the first 2:30
        (60, 150, [(60, 150)]),  # until the first 2:30, and not again
        (180, 240, [(240, 300)]),
    ],
)
def test_hours_begin_and_end_the_first_time_when_the_clock_is_put_back(
    opens: int, closes: int, opened: list[tuple[int, int]]
) -> None:
    sunday = date(2026, 10, 25)  # 3:00 becomes 2:00
    assert open_on(Timetable(BERLIN, special={sunday: (Stretch(opens, closes),)}), sunday) == opened


def test_a_day_that_begins_at_one_joins_the_day_before() -> None:
    thursday, friday = date(2026, 4, 23), date(2026, 4, 24)  # in Cairo, 24:00 becomes 1:00
    always = Timetable(CAIRO, tuple(OpeningHours(day, 0, 1440) for day in range(7)))
    window = Interval(day_interval(thursday, CAIRO).start, day_interval(friday, CAIRO).end)
    assert open_intervals(always, window) == [window]
    assert window.duration == timedelta(hours=47)


def test_a_closing_time_that_moves_past_midnight_does_not_open_the_next_day() -> None:
    saturday = date(2026, 3, 28)  # in Nuuk, 23:00 becomes 0:00 of Sunday
    timetable = Timetable(NUUK, special={saturday: (Stretch(20 * 60, 23 * 60 + 30),)})
    assert open_on(timetable, saturday) == [(20 * 60, 23 * 60)]
    assert open_on(timetable, saturday + timedelta(days=1)) == []


def test_hours_of_tomorrow_that_come_before_the_clock_is_put_back_to_today() -> None:
    sunday = date(2010, 11, 7)  # in St. John's, 0:01 became 23:01 of Saturday
    timetable = Timetable(ST_JOHNS, special={sunday: (Stretch(0, 60),)})
    start = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)  # the first 0:00
    until_the_second_half_past_eleven = Interval(start, datetime(2010, 11, 7, 3, tzinfo=UTC))
    assert open_intervals(timetable, until_the_second_half_past_eleven) == [until_the_second_half_past_eleven]


def test_a_day_whose_midnight_comes_twice_begins_with_the_first() -> None:
    assert day_interval(date(2026, 11, 1), HAVANA).duration == timedelta(hours=25)


def test_the_clock_reaches_a_missing_time_at_the_change() -> None:
    assert clock_reaches(date(2026, 3, 29), 150, BERLIN) == utc(29, 1)


# Times that a person types


def test_a_typed_time_is_one_instant() -> None:
    assert wall_instant(TUESDAY, 9 * 60, MOSCOW) == utc(10, 6)


@pytest.mark.parametrize("minutes", [120, 150, 179])
def test_a_typed_time_that_does_not_exist_is_refused(minutes: int) -> None:
    with pytest.raises(MissingHour):
        wall_instant(date(2026, 3, 29), minutes, BERLIN)


@pytest.mark.parametrize("minutes", [120, 150, 179])
def test_a_typed_time_that_exists_twice_is_refused(minutes: int) -> None:
    with pytest.raises(DoubledHour):
        wall_instant(date(2026, 10, 25), minutes, BERLIN)


@pytest.mark.parametrize(("day", "minutes"), [(29, 119), (29, 180), (28, 150), (28, 24 * 60 + 60)])
def test_typed_times_around_the_change_are_accepted(day: int, minutes: int) -> None:
    assert wall_instant(date(2026, 3, day), minutes, BERLIN) == local_instant(date(2026, 3, day), minutes, BERLIN)


@pytest.mark.parametrize(
    ("stretches", "code"),
    [
        ([], None),
        ([(540, 720), (720, 900)], None),
        ([(720, 900), (540, 720)], None),
        ([(540, 721), (720, 900)], "hours_overlap"),
        ([(720, 900), (540, 721)], "hours_overlap"),
        ([(1200, 1560), (1230, 1300)], "hours_overlap"),
        ([(720, 540)], "hours_wrong"),
        ([(540, 540)], "hours_wrong"),
        ([(-1, 540)], "hours_wrong"),
        ([(1440, 1500)], "hours_wrong"),
        ([(540, 540 + 1441)], "hours_wrong"),
    ],
)
def test_wrong_special_hours_are_named(stretches: list[tuple[int, int]], code: str | None) -> None:
    assert wrong_special(TUESDAY, stretches, MOSCOW) == code


@pytest.mark.parametrize(
    ("zone", "day", "stretch", "code"),
    [
        (BERLIN, date(2026, 3, 29), (150, 600), "hour_missing"),
        (BERLIN, date(2026, 3, 28), (1200, 1440 + 150), "hour_missing"),
        (BERLIN, date(2026, 10, 25), (60, 120), "hour_doubled"),
        (BERLIN, date(2026, 10, 25), (60, 180), None),
        (CAIRO, date(2026, 4, 24), (30, 600), "hour_missing"),
        (CAIRO, date(2026, 4, 24), (0, 1440), None),  # all day, though it begins at 1:00
        (CAIRO, date(2026, 4, 23), (600, 1440), None),
        (HAVANA, date(2026, 11, 1), (0, 600), None),
    ],
)
def test_special_hours_at_a_time_that_is_not_one_instant_are_refused(
    zone: ZoneInfo, day: date, stretch: tuple[int, int], code: str | None
) -> None:
    assert wrong_special(day, [stretch], zone) == code


# Why it is closed


def moscow(day: date, start: int, end: int) -> Interval:
    """From one hour of a day in Moscow to another."""
    return Interval(local_instant(day, start * 60, MOSCOW), local_instant(day, end * 60, MOSCOW))


EXCEPTIONS = Timetable(
    MOSCOW,
    NINE_TO_SIX,
    special={TUESDAY: (Stretch(840, 900), Stretch(600, 720)), SATURDAY: ()},
    holidays=frozenset({MONDAY, TUESDAY}),
    closures=(Closure(moscow(FRIDAY, 12, 48), "Ремонт"), Closure(moscow(FRIDAY, 13, 14), "Обед")),
)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (moscow(date(2026, 3, 11), 9, 18), None),
        (moscow(date(2026, 3, 11), 8, 10), Reason("hours", {"day": "2026-03-11", "hours": "9:00–18:00"})),
        (moscow(date(2026, 3, 11), 17, 19), Reason("hours", {"day": "2026-03-11", "hours": "9:00–18:00"})),
        (moscow(SUNDAY, 10, 11), Reason("hours", {"day": "2026-03-08", "hours": ""})),
        (moscow(MONDAY, 10, 11), Reason("holiday", {"day": "2026-03-09"})),
        (moscow(TUESDAY, 10, 12), None),
        (moscow(TUESDAY, 11, 13), Reason("special_hours", {"day": "2026-03-10", "hours": "10:00–12:00, 14:00–15:00"})),
        (moscow(FRIDAY, 11, 13), Reason("closure", {"reason": "Ремонт"})),
        (moscow(FRIDAY, 13, 14), Reason("closure", {"reason": "Ремонт"})),
        (moscow(FRIDAY, 20, 21), Reason("closure", {"reason": "Ремонт"})),
        (moscow(FRIDAY, 8, 13), Reason("hours", {"day": "2026-03-13", "hours": "9:00–18:00"})),
        (moscow(SATURDAY + timedelta(days=7), 10, 11), Reason("hours", {"day": "2026-03-21", "hours": ""})),
    ],
)
def test_the_first_closed_minute_says_why(wanted: Interval, reason: Reason | None) -> None:
    assert why_closed(EXCEPTIONS, wanted) == reason


def test_a_date_without_special_hours_is_named_as_such() -> None:
    closed = Timetable(MOSCOW, special={SATURDAY: ()})
    assert why_closed(closed, moscow(SATURDAY, 10, 11)) == Reason("special_hours", {"day": "2026-03-14", "hours": ""})


def test_hours_past_midnight_are_said_as_people_say_them() -> None:
    nights = Timetable(MOSCOW, (OpeningHours(1, 20 * 60, 26 * 60), OpeningHours(1, 6 * 60 + 5, 7 * 60)))
    reason = why_closed(nights, moscow(TUESDAY, 10, 11))
    assert reason == Reason("hours", {"day": "2026-03-10", "hours": "6:05–7:00, 20:00–2:00"})
    assert why_closed(Timetable(MOSCOW, (OpeningHours(1, 600, 1440),)), moscow(TUESDAY, 1, 2)) == Reason(
        "hours", {"day": "2026-03-10", "hours": "10:00–24:00"}
    )


def test_the_night_after_a_holiday_is_closed_because_of_it() -> None:
    nights = tuple(OpeningHours(day, 20 * 60, 26 * 60) for day in range(7))
    timetable = Timetable(MOSCOW, nights, holidays=frozenset({MONDAY}))
    assert why_closed(timetable, moscow(TUESDAY, 1, 2)) == Reason("holiday", {"day": "2026-03-09"})
    hours = Reason("hours", {"day": "2026-03-10", "hours": "20:00–2:00"})
    assert why_closed(timetable, moscow(TUESDAY, 10, 11)) == hours


def test_a_date_with_hours_of_its_own_speaks_for_itself_after_a_holiday() -> None:
    nights = tuple(OpeningHours(day, 20 * 60, 26 * 60) for day in range(7))
    timetable = Timetable(MOSCOW, nights, special={TUESDAY: (Stretch(600, 720),)}, holidays=frozenset({MONDAY}))
    wanted = moscow(TUESDAY, 1, 2)
    assert why_closed(timetable, wanted) == Reason("special_hours", {"day": "2026-03-10", "hours": "10:00–12:00"})
