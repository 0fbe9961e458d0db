"""Public holidays as dates: transfers of Russian days off among them."""

from __future__ import annotations

from datetime import date

import pytest

from b24app.booking.holidays import countries, holiday_dates


@pytest.mark.parametrize(
    "day",
    [
        date(2025, 1, 1),
        date(2025, 1, 8),
        date(2024, 4, 29),  # Monday, in exchange for Saturday 27 April
        date(2025, 12, 31),
        date(2026, 1, 9),  # Friday, in exchange for 3 January, a Saturday anyway
        date(2026, 3, 9),  # Monday: 8 March is a Sunday
    ],
)
def test_a_russian_day_off_is_closed(day: date) -> None:
    assert day in holiday_dates("RU", 2024, 2026).closed


@pytest.mark.parametrize("day", [date(2024, 4, 27), date(2024, 11, 2), date(2024, 12, 28), date(2025, 11, 1)])
def test_a_russian_working_saturday_is_a_workday(day: date) -> None:
    found = holiday_dates("RU", 2024, 2026)
    assert day in found.workdays
    assert day not in found.closed


def test_an_ordinary_day_is_neither() -> None:
    found = holiday_dates("RU", 2025, 2025)
    assert date(2025, 1, 9) not in found.closed | found.workdays
    assert date(2025, 2, 23) in found.closed
    assert date(2025, 2, 24) not in found.closed  # transferred to 8 May, not to the Monday after


def test_only_the_years_asked_for_are_in_it() -> None:
    found = holiday_dates("RU", 2024, 2025)
    assert {day.year for day in found.closed | found.workdays} == {2024, 2025}


def test_working_saturdays_of_other_years_are_left_out() -> None:
    """The library gives that of 30 December 2006 with every year of Belarus."""
    assert {day.year for day in holiday_dates("BY", 2025, 2025).workdays} == {2025}


def test_years_one_by_one_are_the_same_as_together() -> None:
    alone = [holiday_dates("RU", year, year) for year in (2024, 2025, 2026)]
    together = holiday_dates("RU", 2024, 2026)
    assert together.closed == frozenset().union(*(one.closed for one in alone))
    assert together.workdays == frozenset().union(*(one.workdays for one in alone))


def test_a_country_without_transfers_has_no_working_saturdays() -> None:
    found = holiday_dates("DE", 2026, 2026)
    assert date(2026, 10, 3) in found.closed
    assert found.workdays == frozenset()


@pytest.mark.parametrize("country", countries())
def test_every_country_offered_has_holidays(country: str) -> None:
    found = holiday_dates(country, 2026, 2026)
    assert len(found.closed) >= 4
    assert not found.closed & found.workdays


@pytest.mark.parametrize("country", ["", "XX", "ru", "RUS", "../RU"])
def test_an_unknown_country_is_refused(country: str) -> None:
    with pytest.raises(ValueError, match="no holidays known"):
        holiday_dates(country, 2026, 2026)


@pytest.mark.parametrize("years", [(2027, 2026), (0, 2026), (2026, 9999)])
def test_absurd_years_are_refused(years: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no such years"):
        holiday_dates("RU", *years)
