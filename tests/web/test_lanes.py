"""One lane of the board: where blocks stand, what is said, and that nothing in it is taken for markup."""

from __future__ import annotations

import gzip
import random
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24app.ledger.queries import BoardBlock
from b24app.scheduling.hours import day_interval
from b24app.web import lanes
from b24app.web.lanes import Day, LaneWords, Rail

MOSCOW = ZoneInfo("Europe/Moscow")
WORDS = LaneWords(busy="Занято", closed="Закрыто")
HOSTILE = """<script>alert("1")</script> 😀 $result[x][id] & 'quoted'"""


def axis(day: date = date(2026, 3, 12), zone: ZoneInfo = MOSCOW) -> Day:
    window = day_interval(day, zone)
    return Day(int(window.start.timestamp()), int(window.end.timestamp()))


def block(day: Day, start: float, end: float, **changed: Any) -> BoardBlock:
    """From `start` to `end` hours after midnight."""
    one = BoardBlock(1, int(day.start + start * 3600), int(day.start + end * 3600), "confirmed", "none", 7, "Имя")
    return one._replace(**changed)


def drawn(day: Day, *blocks: BoardBlock, behind: frozenset[int] = frozenset()) -> str:
    return lanes.blocks(blocks, day, behind, WORDS)


@pytest.mark.parametrize(
    ("start", "end", "classes"),
    [
        (9, 10, "s36 n4"),
        (9.25, 9.5, "s37 n1"),
        (9 + 5 / 60, 10, "s36 m5 n3 p10"),
        (0, 24, "s0 n96"),
        (9 + 1 / 6, 9 + 0.75, "s36 m10 n2 p5"),
    ],
)
def test_a_block_stands_at_its_time(start: float, end: float, classes: str) -> None:
    assert f'class="b conf {classes}"' in drawn(axis(), block(axis(), start, end))


@pytest.mark.parametrize(("start", "end", "classes"), [(-3, 2, "s0 n8"), (22, 30, "s88 n8"), (-24, 48, "s0 n96")])
def test_a_block_is_cut_to_the_day(start: float, end: float, classes: str) -> None:
    assert classes in drawn(axis(), block(axis(), start, end))


def test_the_day_on_which_clocks_go_back_has_25_hours() -> None:
    day = axis(date(2026, 10, 25), ZoneInfo("Europe/Berlin"))
    assert 's99 n1"' in drawn(day, block(day, 24.75, 25))
    assert 's0 n100"' in lanes.closed(day, [], WORDS)


@pytest.mark.parametrize(
    ("stage", "payment", "look"),
    [
        ("confirmed", "none", "conf"),
        ("confirmed", "paid", "paid"),
        ("completed", "paid", "done"),
        ("no_show", "none", "nosh"),
        ("prebooked", "none", "hold"),
    ],
)
def test_stage_and_payment_have_a_look(stage: str, payment: str, look: str) -> None:
    assert f'class="b {look} ' in drawn(axis(), block(axis(), 9, 10, stage=stage, payment=payment))


def test_a_booking_leads_to_its_number_and_shows_whether_the_portal_has_it() -> None:
    assert "href=#7>" in drawn(axis(), block(axis(), 9, 10))
    assert " lag " not in drawn(axis(), block(axis(), 9, 10))
    assert "b conf lag " in drawn(axis(), block(axis(), 9, 10), behind=frozenset({7}))


def test_a_masked_block_says_only_that_the_time_is_taken() -> None:
    masked = BoardBlock(1, axis().start + 9 * 3600, axis().start + 10 * 3600, "busy")
    assert drawn(axis(), masked) == '<span class="b busy s36 n4">Занято</span>'


def test_texts_of_people_are_shown_and_never_markup() -> None:
    rail = Rail(5, "specialist", HOSTILE, HOSTILE, 30, bookable=True, ahead=120, ahead_words=HOSTILE)
    row = lanes.row(rail, axis(), [], [block(axis(), 9, 10, label=HOSTILE)], frozenset(), WORDS)
    assert "<script" not in row
    assert row.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; 😀 $result[x][id] &amp;") == 4


def test_closed_time_is_everything_outside_of_the_hours() -> None:
    day = axis()
    hours = [(day.start + 9 * 3600, day.start + 13 * 3600), (day.start + 14 * 3600, day.start + 18 * 3600)]
    shut = lanes.closed(day, hours, WORDS)
    assert [part.split('"')[0] for part in shut.split('class="shut ')[1:]] == ["s0 n36", "s52 n4", "s72 n24"]
    assert lanes.closed(day, [(day.start, day.end)], WORDS) == ""


def test_only_a_lane_that_may_be_booked_offers_free_time() -> None:
    rail = Rail(5, "room", "«Ока»", "6", 15, bookable=True)
    assert " data-r=5 data-step=15>" in lanes.row(rail, axis(), [], [], frozenset(), WORDS)
    assert "data-r" not in lanes.row(
        Rail(5, "room", "«Ока»", "6", 15, bookable=False), axis(), [], [], frozenset(), WORDS
    )


@pytest.mark.parametrize(
    ("first", "last", "window"),
    [
        (9, 21, (36, 48)),
        (9.5, 20.25, (36, 48)),
        (10, 12, (40, 32)),
        (20, 22, (64, 32)),
        (-5, 30, (0, 96)),
        (None, None, (32, 48)),
    ],
)
def test_the_window_is_whole_hours_and_at_least_eight(
    first: float | None, last: float | None, window: tuple[int, int]
) -> None:
    day = axis()
    instants = [None if hour is None else int(day.start + hour * 3600) for hour in (first, last)]
    assert lanes.window(day, *instants) == window


def test_a_full_board_is_small() -> None:
    """200 resources with ten bookings each, as the mock-up measured it: bytes and elements of the rows."""
    day, chance = axis(), random.Random(5)
    names = [
        f"{name} {letter}." for name in ("Орлова", "Гущин", "Савина", "Романова", "Лисицын") for letter in "АБВГДЕИК"
    ]
    hours = [(day.start + 9 * 3600, day.start + 21 * 3600)]
    rows = []
    for resource in range(200):
        held = [
            block(
                day,
                9 + n,
                9 + n + chance.choice((0.5, 0.75, 1)),
                number=1000 + resource * 10 + n,
                label=chance.choice(names),
            )
            for n in range(10)
        ]
        rail = Rail(resource, "room", f"Переговорная {resource}", "8", 30, bookable=True)
        rows.append(lanes.row(rail, day, hours, held, frozenset(), WORDS))
    board = "".join(rows)
    assert board.count("<") - board.count("</") < 4000 - 300
    assert len(gzip.compress(board.encode(), 6)) < 25_000 - 4_000
