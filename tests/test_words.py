"""Rules, obstacles and money in words: a sentence for every code, and Russian that nobody stumbles over."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24app import texts
from b24app.messages import MESSAGES, PLURALS
from b24app.scheduling.hours import Reason
from b24app.scheduling.interval import Interval
from b24app.scheduling.policy import Policy, Quota, Rung, Violation, change_violations, violations
from tests.scheduling import test_policy, test_pricing

CORE = Path(texts.__file__).parent / "scheduling"
NBSP = "\N{NO-BREAK SPACE}"
MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
POLICY = Policy(min_minutes=30, max_minutes=240, step_minutes=30, horizon_days=60)
THREE_A_DAY, HOURS_A_WEEK = Quota("client", "day", 3), Quota("department", "week", 240, "minutes")
LADDER = (Rung(24, 50), Rung(2, 100))


def plain(text: str) -> str:
    return text.replace(NBSP, " ")


# -- every code has its words


def codes(module: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (CORE / f"{module}.py").read_text(encoding="utf-8")))


def test_every_broken_rule_has_a_sentence_and_its_setting_a_name() -> None:
    found = codes("policy", r'Violation\("(\w+)"') | codes("policy", r'_of_rules\(policy, "(\w+)"')
    assert len(found) > 8
    for code in found | {"cancel_deadline", "move_deadline"}:
        assert f"violation.{code}" in MESSAGES or f"violation.{code}" in PLURALS, code
    settings = codes("policy", r'"((?:service|resource|company)\.\w+)"')
    settings |= {f"rules.{name}" for name in ("notice_minutes", "quotas", "most_moves")}
    settings |= {"rules.cancel_until_minutes", "rules.move_until_minutes"}
    assert len(settings) > 12
    assert {f"setting.{name}" for name in settings} <= set(MESSAGES)


def test_every_obstacle_and_reason_has_a_sentence() -> None:
    found = codes("allocation", r'Obstacle\(\s*"(\w+)"') | codes("hours", r'Reason\("(\w+)"')
    found |= {"taken", "buffer", "special_hours", "hours"}
    assert len(found) > 9
    assert {f"obstacle.{code}" for code in found} <= set(MESSAGES)


def test_every_field_that_the_core_refuses_has_a_sentence() -> None:
    said = {code for _, wrong in [*test_policy.WRONG, *test_pricing.WRONG] for code in wrong.values()}
    said |= {"gap", "no_price", "required", "out_of_range", "unknown_choice"}
    said |= {"too_many_dates", "both_ends", "until_before_start", "no_dates"}  # recurrence.check
    said |= {"hours_wrong", "hours_overlap", "hour_missing", "hour_doubled"}  # hours
    assert {f"field.{code}" for code in said} <= set(MESSAGES)


# -- broken rules


@pytest.mark.parametrize(
    ("changed", "start", "minutes", "russian", "english"),
    [
        (
            {"notice_minutes": 180}, 60, 60,
            "Бронируйте не позже чем за 3 ч до начала", "Book at least 3 h before the start",
        ),
        ({"max_minutes": 2880}, 60, 2910, "Самая длинная бронь здесь – 2 дня", "The longest booking here is 2 days"),
        (
            {"min_minutes": 90}, 60, 60,
            "Самая короткая бронь здесь – 1 ч 30 мин", "The shortest booking here is 1 h 30 min",
        ),
        (
            {"quotas": (THREE_A_DAY,)}, 60, 60,
            "Это сверх лимита: не больше 3 броней на клиента в день; уже занято: 3",
            "This is over the limit: no more than 3 bookings per client a day; used up so far: 3",
        ),
        (
            {"quotas": (HOURS_A_WEEK,)}, 60, 90,
            "Это сверх лимита: не больше 4 ч на отдел в неделю; уже занято: 3 ч",
            "This is over the limit: no more than 4 h per department a week; used up so far: 3 h",
        ),
    ],
)  # fmt: skip
def test_a_broken_rule_names_its_limit_in_words(
    changed: dict[str, Any], start: int, minutes: int, russian: str, english: str
) -> None:
    starts = NOW + timedelta(minutes=start)
    wanted = Interval(starts, starts + timedelta(minutes=minutes))
    used = {THREE_A_DAY: 3, HOURS_A_WEEK: 180}
    (found,) = violations(replace(POLICY, **changed), wanted, NOW, MOSCOW, closed=None, used=used)
    assert plain(texts.say_violation("ru", found.code, found.params)).replace("—", "–") == russian
    assert texts.say_violation("en", found.code, found.params).replace(NBSP, " ") == english


@pytest.mark.parametrize(
    ("count", "russian"),
    [
        (0, "По правилам бронь не переносят"),
        (1, "Бронь можно перенести 1 раз"),
        (2, "Бронь можно перенести 2 раза"),
        (5, "Бронь можно перенести 5 раз"),
    ],
)
def test_how_often_a_booking_may_be_moved(count: int, russian: str) -> None:
    (found,) = change_violations(
        replace(POLICY, most_moves=count, name="Аренда"), "move", NOW.replace(hour=9), NOW, moves=count
    )
    assert plain(texts.say_violation("ru", found.code, found.params)) == russian


REASONS = [
    (Reason("closure", {"reason": "Ремонт"}), "Закрыто: Ремонт", "Closed: Ремонт"),
    (Reason("closure", {"reason": ""}), "В это время закрыто", "It is closed at this time"),
    (
        Reason("holiday", {"day": "2026-05-09"}),
        "Закрыто на праздник (сб, 9 мая)",
        "Closed for the holiday (Sat, 9 May)",
    ),
    (
        Reason("special_hours", {"day": "2026-05-09", "hours": "10:00–14:00"}),
        "Открыто только 10:00–14:00 (сб, 9 мая)",
        "Open only 10:00–14:00 (Sat, 9 May)",
    ),
    (
        Reason("hours", {"day": "2026-05-09", "hours": ""}),
        "Весь день закрыто (сб, 9 мая)",
        "Closed all day (Sat, 9 May)",
    ),
    (
        Reason("hours", {"day": "2026-05-08", "hours": "9:00–13:00, 14:00–18:00"}),
        "Открыто 9:00–13:00, 14:00–18:00 (пт, 8 мая)",
        "Open 9:00–13:00, 14:00–18:00 (Fri, 8 May)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "russian", "english"), REASONS)
def test_closed_time_says_why_as_a_rule_and_as_an_obstacle(reason: Reason, russian: str, english: str) -> None:
    hour = Interval(NOW, NOW.replace(hour=7))
    (found,) = violations(POLICY, hour, NOW, MOSCOW, closed=reason, used={})
    obstacle = {"code": reason.code, "params": reason.params}
    for language, expected in (("ru", russian), ("en", english)):
        assert plain(texts.say_violation(language, found.code, found.params)) == expected
        assert plain(texts.say_obstacle(language, "closed", obstacle, MOSCOW)) == expected


@pytest.mark.parametrize(
    ("found", "russian", "english"),
    [
        (Violation("past", "start"), "", ""),
        (
            Violation("too_long", "end", {}, "service.max_minutes"),
            "Услуга: самая длинная бронь",
            "Service: longest booking",
        ),
        (
            Violation("notice", "start", {"rules": "Аренда"}, "rules.notice_minutes"),
            "Правила «Аренда»: за сколько бронируют",
            "Rules “Аренда”: notice",
        ),
        (Violation("quota", "start", {}, "rules.quotas"), "Правила: лимиты", "Rules: limits"),
        (Violation("x", "start", {}, "company.holidays"), "Компания: праздники", "Company: holidays"),
    ],
)  # fmt: skip
def test_a_broken_rule_tells_where_it_is_set(found: Violation, russian: str, english: str) -> None:
    assert plain(texts.say_setting("ru", found.setting, found.params)) == russian
    assert texts.say_setting("en", found.setting, found.params) == english


# -- obstacles

NOON = {"from": "2026-03-13T09:00:00+00:00", "until": "2026-03-13T11:00:00+00:00"}
OVER_NIGHT = {"from": "2026-03-13T19:00:00+00:00", "until": "2026-03-13T23:00:00+00:00"}


@pytest.mark.parametrize(
    ("code", "params", "name", "russian", "english"),
    [
        ("taken", NOON, "", "Занято 12:00–14:00", "Taken 12:00–14:00"),
        ("taken", NOON, "Ока", "Ока – занято 12:00–14:00", "Ока – taken 12:00–14:00"),
        (
            "taken", OVER_NIGHT, "Ока",
            "Ока – занято пт, 13 марта, 22:00 – сб, 14 марта, 2:00",
            "Ока – taken Fri, 13 March, 22:00 – Sat, 14 March, 2:00",
        ),
        (
            "buffer", NOON, "",
            "Рядом занято 12:00–14:00, между бронями нужен перерыв",
            "Taken 12:00–14:00; there has to be a break between bookings",
        ),
        ("too_few_units", {"free": 1, "needed": 2}, "", "Свободно 1, а нужно 2", "1 of the 2 needed are free"),
        (
            "too_small", {"capacity": 8, "party": 9}, "Ока",
            "Ока – мест 8, а нужно 9", "Ока – there is room for 8, needed for 9",
        ),
        ("not_able", {}, "Анна", "Анна – для этого не подходит", "Анна – not suitable for this"),
        ("not_able", {"unit": 7}, "", "Для этого не подходит", "Not suitable for this"),
        (
            "nothing_left", {}, "",
            "По отдельности всё свободно, но вместе – нет", "Each of them is free, but not all together",
        ),
        ("closed", {}, "Ока", "Ока – в это время закрыто", "Ока – it is closed at this time"),
        (
            "closed", {"code": "closure", "params": {"reason": "Ремонт"}}, "Ока",
            "Ока – закрыто: Ремонт", "Ока – closed: Ремонт",
        ),
        ("unheard_of", {}, "", "На это время забронировать нельзя", "This time cannot be booked"),
    ],
)  # fmt: skip
def test_an_obstacle_in_words(code: str, params: dict[str, Any], name: str, russian: str, english: str) -> None:
    assert plain(texts.say_obstacle("ru", code, params, MOSCOW, name)) == russian
    assert plain(texts.say_obstacle("en", code, params, MOSCOW, name)) == english


# -- the rules in force

USUAL = ["Отмена бесплатна до самого начала", "Перенести можно до самого начала"]
FEES = "Отмена бесплатна за 24 ч и раньше; позже – 50 % цены, меньше чем за 2 ч – 100 %"


@pytest.mark.parametrize(
    ("changed", "russian"),
    [
        ({}, USUAL),
        ({"hold_minutes": 120}, ["Предбронь держится 2 ч", *USUAL]),
        ({"winner": "payment"}, ["Бронь подтверждает первая оплата, заявка ждёт 24 ч", *USUAL]),
        ({"winner": "manager", "decide_minutes": 2880}, ["Бронь подтверждает менеджер, заявка ждёт 2 дня", *USUAL]),
        ({"notice_minutes": 180}, ["Бронируйте не позже чем за 3 ч до начала", *USUAL]),
        ({"pay_minutes": 4320}, ["Срок оплаты после подтверждения – 3 дня", *USUAL]),
        ({"cancel_ladder": LADDER[::-1]}, [FEES, USUAL[1]]),
        ({"cancel_ladder": (Rung(48, 0), *LADDER)}, [FEES, USUAL[1]]),
        (
            {"cancel_ladder": LADDER, "cancel_until_minutes": 60},
            [f"{FEES}; меньше чем за 1 ч отменить нельзя", USUAL[1]],
        ),
        ({"cancel_ladder": LADDER, "cancel_until_minutes": 1440}, ["Отменить можно за 24 ч и раньше", USUAL[1]]),
        ({"move_until_minutes": 180, "most_moves": 2}, [USUAL[0], "Перенести можно за 3 ч и раньше, не больше 2 раз"]),
        ({"most_moves": 1}, [USUAL[0], "Перенести можно до самого начала, не больше 1 раза"]),
        ({"most_moves": 0, "move_ladder": LADDER}, [USUAL[0], "Перенести бронь нельзя"]),
        (
            {"move_ladder": LADDER[1:], "most_moves": 5},
            [USUAL[0], "Перенос бесплатен за 2 ч и раньше; позже – 100 % цены; не больше 5 раз"],
        ),
        ({"no_show_percent": 100}, [*USUAL, "Неявка – 100 % цены"]),
        (
            {"quotas": (THREE_A_DAY, Quota("person", "ahead", 1), Quota("client", "month", 90, "minutes"))},
            [
                *USUAL,
                "Лимит: не больше 3 броней на клиента в день",
                "Лимит: не больше 1 брони на сотрудника среди предстоящих",
                "Лимит: не больше 1 ч 30 мин на клиента в месяц",
            ],
        ),
    ],
)  # fmt: skip
def test_the_rules_in_force_in_plain_words(changed: dict[str, Any], russian: list[str]) -> None:
    rules = replace(POLICY, **changed).as_dict()
    assert [plain(sentence) for sentence in texts.policy_words("ru", rules)] == russian
    english = texts.policy_words("en", rules)
    assert len(english) == len(russian)
    assert not re.search(r"[а-яё{}]", "".join(english))


def test_what_costs_nothing_has_no_fees() -> None:
    rules = replace(POLICY, cancel_ladder=LADDER, no_show_percent=100, pay_minutes=60).as_dict()
    words = [plain(sentence) for sentence in texts.policy_words("ru", rules, priced=False)]
    assert words == ["Отменить можно до самого начала", USUAL[1]]


def test_who_may_only_ask_reads_how_long_the_request_waits() -> None:
    words = texts.policy_words("ru", replace(POLICY, winner="payment").as_dict(), needs_approval=True)
    assert plain(words[0]) == "Бронь нужно согласовать, заявка ждёт 24 ч"


def test_every_choice_of_a_quota_has_words() -> None:
    for per in ("client", "person", "department"):
        for period in ("day", "week", "month", "ahead"):
            assert "quota" not in texts.quota("en", asdict(Quota(per, period, 2)))


# -- amounts


@pytest.mark.parametrize(
    ("amount", "currency", "russian", "english"),
    [
        ("2400", "RUB", "2 400 ₽", "RUB 2,400"),
        ("2400.00", "RUB", "2 400 ₽", "RUB 2,400"),
        ("1E+2", "EUR", "100 €", "€100"),
        ("99.5", "EUR", "99,50 €", "€99.50"),
        ("-1234567.05", "USD", "−1 234 567,05 $", "−US$1,234,567.05"),
        ("0.125", "KWD", "0,125 KWD", "KWD 0.125"),
        ("0", "RUB", "0 ₽", "RUB 0"),
    ],
)
def test_money(amount: str, currency: str, russian: str, english: str) -> None:
    said = texts.money("ru", Decimal(amount), currency)
    assert " " not in said
    assert plain(said) == russian
    assert plain(texts.money("en", Decimal(amount), currency)) == english


def test_terms_are_told_in_days_from_two_days_on() -> None:
    assert [plain(texts.term("ru", minutes)) for minutes in (90, 1440, 2160, 2880, 7200)] == [
        "1 ч 30 мин", "24 ч", "36 ч", "2 дня", "5 дней",
    ]  # fmt: skip
    assert (plain(texts.percent("ru", 50)), texts.percent("en", 50)) == ("50 %", "50%")
