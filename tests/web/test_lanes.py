"""One lane of the board: where blocks stand, what is said, and that nothing in it is taken for markup."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24app.ledger.spread import BoardBlock, More
from b24app.scheduling.hours import Reason, day_interval
from b24app.web import lanes
from b24app.web.lanes import Day, Lane, LaneWords, Rail
from b24app.web.opening import Gap, Opening

MOSCOW = ZoneInfo("Europe/Moscow")
WORDS = LaneWords(
    busy="Занято",
    closed="Закрыто",
    buffer="Буфер",
    within="в составе: {}".format,
    part="занято: {}".format,
    taken="{} из {}".format,
    full="{} из {}, мест нет".format,
    requests=lambda count: f"заявок: {count}",
    until=lambda instant: f"{instant % 86400 // 3600 + 3}:00",
    why=lambda reason: reason.params.get("reason") or reason.code,
)
HOSTILE = """<script>alert("1")</script> 😀 $result[x][id] & 'quoted'"""
ALWAYS = Opening([(0, 2**40)], [])
PLAIN = Rail(1, "room", "«Ока»", "6", 15, bookable=True)
POOL = PLAIN._replace(units=(11, 12, 13))
LARGE = PLAIN._replace(units=tuple(range(11, 23)))


def axis(day: date = date(2026, 3, 12), zone: ZoneInfo = MOSCOW) -> Day:
    window = day_interval(day, zone)
    return Day(int(window.start.timestamp()), int(window.end.timestamp()))


def at(day: Day, hours: float) -> int:
    """So many hours after midnight."""
    return int(day.start + hours * 3600)


def block(day: Day, start: float, end: float, **changed: Any) -> BoardBlock:
    """From `start` to `end` hours after midnight."""
    return BoardBlock(1, 11, at(day, start), at(day, end), "confirmed", "none", 7, "Имя")._replace(**changed)


def more(day: Day, start: float, end: float, **changed: Any) -> More:
    """Its own time, in hours after midnight."""
    return More(1, at(day, start), at(day, end), None, 0)._replace(**changed)


def drawn(day: Day, *blocks: BoardBlock, **lane: Any) -> str:
    return lanes.blocks(Lane(PLAIN, ALWAYS, blocks)._replace(**lane), day, WORDS)


def row(*blocks: BoardBlock, rail: Rail = PLAIN, **lane: Any) -> str:
    return lanes.row(Lane(rail, ALWAYS, blocks)._replace(**lane), axis(), WORDS)


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
    assert 's0 n100"' in lanes.closed(Lane(PLAIN, Opening([], [Gap(day.start, day.end, Reason("hours"))])), day, WORDS)


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
    assert "b conf lag " in drawn(axis(), block(axis(), 9, 10, more=more(axis(), 9, 10, behind=1)))


def test_a_masked_block_says_only_that_the_time_is_taken() -> None:
    masked = BoardBlock(1, 11, at(axis(), 9), at(axis(), 10), "busy")
    assert drawn(axis(), masked) == '<span class="b busy s36 n4">Занято</span>'


def test_a_hold_says_until_when() -> None:
    hold = block(axis(), 9, 10, stage="prebooked", more=more(axis(), 9, 10, until=at(axis(), 8)))
    assert 'class="b hold s36 n4" href=#7><i>8:00</i> Имя</a>' in drawn(axis(), hold)
    assert "<i>" not in drawn(axis(), hold._replace(stage="confirmed"))


def test_buffers_are_tails_of_a_block_that_stands_at_its_own_time() -> None:
    with_buffers = block(axis(), 8.75, 10.5, more=more(axis(), 9, 10))
    assert drawn(axis(), with_buffers) == (
        '<i class="buf s35 n1" title="Буфер"></i><i class="buf s40 n2" title="Буфер"></i>'
        '<a tabindex=-1 class="b conf s36 n4" href=#7>Имя</a>'
    )


def test_of_a_booking_of_yesterday_only_the_buffer_is_left() -> None:
    over = block(axis(), -2, 0.5, more=more(axis(), -2, 0))
    assert drawn(axis(), over) == '<i class="buf s0 n2" title="Буфер"></i>'
    ahead = block(axis(), 23.5, 26, more=more(axis(), 24, 26))
    assert drawn(axis(), ahead) == '<i class="buf s94 n2" title="Буфер"></i>'


def test_what_was_given_back_of_a_no_show_is_free() -> None:
    left = block(axis(), 9, 9.5, stage="no_show", more=more(axis(), 9, 11))
    assert drawn(axis(), left) == '<a tabindex=-1 class="b nosh s36 n2" href=#7>Имя</a>'


@pytest.mark.parametrize(("stage", "text"), [("within", "в составе: Зал А"), ("part", "занято: Зал А")])
def test_what_is_taken_through_another_resource_names_it(stage: str, text: str) -> None:
    taken = block(axis(), 9, 10, stage=stage, label="Зал А")
    assert drawn(axis(), taken) == f'<a tabindex=-1 class="b part s36 n4" href=#7>{text}</a>'
    assert drawn(axis(), taken._replace(number=None)) == f'<span class="b part s36 n4">{text}</span>'


def test_a_booking_in_closed_time_is_flagged_on_an_unusual_day_only() -> None:
    day = axis()
    storm = Gap(at(day, 14), at(day, 22), Reason("closure", {"reason": "шторм"}))
    closed = Opening([(at(day, 9), at(day, 22))], [], [storm], unusual=True)
    assert "b conf flag " in drawn(day, block(day, 13.5, 15), opening=closed)
    assert " flag" not in drawn(day, block(day, 12, 14), opening=closed)
    assert " flag" not in drawn(day, block(day, 15, 16, stage="completed"), opening=closed)
    assert " flag" not in drawn(day, block(day, 13.5, 15), opening=Opening([(at(day, 9), at(day, 14))], []))


def test_requests_hold_nothing_and_several_on_one_time_are_one_block() -> None:
    day = axis()
    first, second = block(day, 9, 11, stage="request"), block(day, 10, 12, stage="request", number=8)
    alone = block(day, 12, 13, stage="request", number=9, label="Лисицын К.")
    assert lanes.asked([first, second, alone], day, WORDS) == (
        '<a tabindex=-1 class="b req s36 n12" href=#7><i>2</i> заявок: 2</a>'
        '<a tabindex=-1 class="b req s48 n4" href=#9>Лисицын К.</a>'
    )


def test_up_to_three_equal_places_get_a_line_each() -> None:
    day = axis()
    both = row(block(day, 9, 10), block(day, 9, 10, unit_id=13), rail=POOL)
    assert both.startswith('<div class="brow k3" role=row')
    assert 's36 n4 u1" href=#7' in both
    assert 's36 n4 u3" href=#7' in both
    assert "data-places=3" in both
    assert '<div class="brow k2"' in row(rail=PLAIN._replace(units=(11, 12)))
    assert '"b buf' not in both


def test_buffers_and_masked_blocks_keep_to_their_line() -> None:
    day = axis()
    masked = BoardBlock(1, 12, at(day, 9), at(day, 10), "busy")
    with_buffer = block(day, 9, 10.25, unit_id=13, more=more(day, 9, 10))
    both = row(masked, with_buffer, rail=POOL)
    assert '"b busy s36 n4 u2"' in both
    assert '"buf s40 n1 u3"' in both


def test_a_place_that_was_given_up_is_shown_while_it_is_taken() -> None:
    both = row(block(axis(), 9, 10), block(axis(), 9, 10, unit_id=99))
    assert '<div class="brow k2"' in both
    assert 's36 n4 u2"' in both


def test_a_request_stands_on_a_line_that_is_free_then() -> None:
    day = axis()
    asked = block(day, 9.5, 10.5, stage="request", number=8)
    assert 'class="b req s38 n4 u2" href=#8' in row(block(day, 9, 10), rail=POOL, requests=[asked])
    full = [block(day, 9, 10, unit_id=unit) for unit in POOL.units]
    assert 'class="b req s38 n4 u3" href=#8' in row(*full, rail=POOL, requests=[asked])


def test_of_many_equal_places_it_is_shown_how_many_are_taken() -> None:
    day = axis()
    held = [block(day, 9, 11, unit_id=unit) for unit in range(11, 18)]
    held += [block(day, 10, 12, unit_id=unit) for unit in range(18, 23)]
    counted = row(*held, rail=LARGE)
    assert counted.startswith("<div class=brow role=row")
    link = f'<a tabindex=-1 class="b cnt-u s36 n4" href=#at-1-{at(day, 9)}-{at(day, 10)}>7 из 12</a>'
    assert link in counted
    assert 'class="b cnt-u full s40 n4"' in counted
    assert ">12 из 12, мест нет</a>" in counted
    assert ">5 из 12</a>" in counted
    assert "Имя" not in counted
    assert "data-places" not in counted


def test_who_may_not_see_bookings_sees_the_numbers_of_a_pool_and_no_link() -> None:
    masked = [BoardBlock(1, unit, at(axis(), 9), at(axis(), 10), "busy") for unit in range(11, 14)]
    counted = row(*masked, rail=LARGE._replace(seen=False))
    assert '<span class="b cnt-u s36 n4">3 из 12</span>' in counted
    assert "#at-" not in counted


def test_requests_for_a_large_pool_stand_on_a_line_of_their_own() -> None:
    day = axis()
    both = row(block(day, 9, 10), rail=LARGE, requests=[block(day, 9, 10, stage="request", number=8)])
    assert both.startswith('<div class="brow k2"')
    assert 'class="b cnt-u s36 n4 u1"' in both
    assert 'class="b req s36 n4 u2" href=#8' in both


def test_counts_change_where_something_begins_or_ends() -> None:
    day = axis()
    spans = [(9, 10), (10, 11), (10, 12)]
    counts = lanes.counts([block(day, start, end) for start, end in spans])
    assert [((start - day.start) / 3600, (end - day.start) / 3600, taken) for start, end, taken in counts] == [
        (9, 10, 1), (10, 11, 2), (11, 12, 1)
    ]  # fmt: skip


def test_texts_of_people_are_shown_and_never_markup() -> None:
    rail = Rail(5, "specialist", HOSTILE, HOSTILE, 30, bookable=True, ahead=120, ahead_words=HOSTILE)
    day, why = axis(), Reason("closure", {"reason": HOSTILE})
    opening = Opening([], [Gap(day.start, day.end, why)], [Gap(day.start, day.end, why)])
    held = [
        block(day, 9, 10, label=HOSTILE),
        block(day, 9, 10, label=HOSTILE, stage="part"),
        block(day, 9, 10, label=HOSTILE, stage="within", number=None),
        block(day, 9, 10, label=HOSTILE, stage="prebooked", more=more(day, 9, 10, until=day.start)),
    ]
    shown = lanes.row(Lane(rail, opening, held, [block(day, 9, 10, label=HOSTILE)]), day, WORDS)
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; 😀 $result[x][id] &amp;") == 3 + 2 + 4 + 1


def test_closed_time_is_hatched_with_its_reason() -> None:
    day = axis()
    gaps = [Gap(day.start, at(day, 9), Reason("hours")), Gap(at(day, 18), day.end, Reason("holiday"))]
    shut = lanes.closed(Lane(PLAIN, Opening([(at(day, 9), at(day, 18))], gaps)), day, WORDS)
    assert shut == '<i class="shut s0 n36" title="Закрыто"></i><i class="shut s72 n24" title="holiday"></i>'


def test_a_closure_shows_its_reason_to_who_may_see_bookings_there() -> None:
    day = axis()
    repair = Opening([], [], [Gap(at(day, 8), at(day, 12), Reason("closure", {"reason": "Ремонт"}))])
    assert lanes.closed(Lane(PLAIN, repair), day, WORDS) == '<span class="b clos s32 n16"><span>Ремонт</span></span>'
    assert "Ремонт" not in lanes.closed(Lane(PLAIN._replace(seen=False), repair), day, WORDS)


def test_only_a_lane_that_may_be_booked_offers_free_time() -> None:
    assert " data-r=1 data-step=15>" in row()
    assert "data-r" not in row(rail=PLAIN._replace(bookable=False))


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
    gaps = [Gap(day.start, at(day, 9), Reason("hours")), Gap(at(day, 21), day.end, Reason("hours"))]
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
        rows.append(lanes.row(Lane(rail, Opening([(at(day, 9), at(day, 21))], gaps), held), day, WORDS))
    board = "".join(rows)
    assert board.count("<") - board.count("</") < 4000 - 300
    assert len(gzip.compress(board.encode(), 6)) < 25_000 - 4_000


def test_a_row_is_drawn_anew_only_when_something_of_it_is_another() -> None:
    day, rows = axis(), lanes.Rows(2)
    first, same, moved = (Lane(PLAIN, ALWAYS, [block(day, 9, end)]) for end in (10, 10, 11))
    kept = rows.row(first, day, WORDS)
    assert rows.row(same, day, WORDS) is kept
    assert rows.row(moved, day, WORDS) == lanes.row(moved, day, WORDS) != kept
    english = replace(WORDS, closed="Closed", voice="en")
    assert rows.row(moved, day, english) == lanes.row(moved, day, english)
    assert rows.row(first, day, WORDS) == kept
