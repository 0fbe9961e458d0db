"""What an address asks for and what was remembered: everything that makes sense of it, and nothing breaks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from b24app.errors import InvalidInput
from b24app.web.choice import Choice

EVERYTHING = Choice(
    view="week", day=date(2026, 3, 12), resource_id=4, service_id=5, kind="room", place="Пресня, 3-й этаж", capacity=8,
    free_from=13 * 60, free_to=24 * 60, responsible_id=3, stages=("request", "paid"), group="place", days=7,
    holds=False,
)  # fmt: skip


def test_an_address_says_all_of_a_choice_and_nothing_of_the_usual_one() -> None:
    address = {name: str(value) for name, value in EVERYTHING.address.items()}
    assert Choice.parse(address) == EVERYTHING
    assert (address["from"], address["to"]) == ("13:00", "24:00")
    assert Choice().address == {}


@pytest.mark.parametrize(
    "values",
    [
        {"view": "year", "kind": "castle", "group": "colour", "days": "30", "stages": "lost,,"},
        {"service": "-1", "resource": "1e9", "responsible": "９", "capacity": "many"},
        {"from": "15:00", "to": "13:00"},
        {"from": "9", "to": "10:60"},
        {"from": "13:00"},
        {"to": "25:00", "from": "13:00"},
    ],
)
def test_what_makes_no_sense_counts_as_nothing(values: dict[str, str]) -> None:
    assert Choice.parse(values) == Choice()


@pytest.mark.parametrize("day", ["2026-02-30", "1999-12-31", "2100-01-02", "tomorrow"])
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(InvalidInput):
        Choice.parse({"day": day})


def test_everything_but_the_day_is_remembered() -> None:
    assert Choice.recall(EVERYTHING.kept) == EVERYTHING.but(day=None)


@pytest.mark.parametrize(
    "kept",
    [None, 5, "week", [], {"view": None}, {"view": ["week"]}, {"stages": 7}, {"day": "never"}, {"from": {}, "to": []},
     {"": 1}],
)  # fmt: skip
def test_spoiled_memories_are_none(kept: Any) -> None:
    assert Choice.recall(kept) == Choice()


def test_without_filters_the_same_view_is_left() -> None:
    bare = EVERYTHING.without_filters()
    assert (bare.view, bare.day, bare.group, bare.filters) == ("week", EVERYTHING.day, "place", False)
    assert EVERYTHING.filters
