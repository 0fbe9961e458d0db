"""What a tariff and rules would mean, said while they are typed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from b24app import texts
from b24app.booking.policies import make_policy, save_policy
from b24app.scheduling.policy import Rung
from tests.conftest import NOW
from tests.factories import ADMIN
from tests.stand import MANAGER, Frame
from tests.web.installed import Installed
from tests.web.test_board import words
from tests.web.test_settings import policy_form, tariff_form

ru = partial(texts.say, "ru")
SATURDAY = {"try_weekday": "5", "try_start": "18:00", "try_hours": "2", "try_before": "20"}
CLUB = {"rules-0-price": "1700", "rules-0-group": "клуб", "rules-0-weekdays": ["5", "6"]}


@pytest.fixture
def admin(installed: Installed) -> Frame:
    return installed.open()


def money(amount: int) -> str:
    return f"{amount:,}".replace(",", "\N{NO-BREAK SPACE}") + "\N{NO-BREAK SPACE}₽"


def test_a_tariff_is_told_by_one_booking(installed: Installed, admin: Frame) -> None:
    with installed.tx() as tx:
        kind = make_policy(name="Обычные", cancel_ladder=(Rung(24, 50), Rung(3, 100)))
        row = save_policy(tx, installed.portal(), kind, viewer=ADMIN, now=NOW)
    form = tariff_form(name="", price="1500", rounding="0.01", **CLUB)
    usual = admin.post("/app/tariffs/example", **form, **SATURDAY).text
    assert money(3000) in usual
    assert ru("example.deposit", amount=money(1500)) in usual
    twenty = {"hours": ru("hours", count=20), "rules": "Обычные"}
    assert words(ru("example.cancelled", **twenty, amount=money(1500))) in words(usual)
    assert money(3400) in admin.post("/app/tariffs/example", **form, **SATURDAY, try_group="клуб").text
    early = admin.post("/app/tariffs/example", **form, **SATURDAY | {"try_before": "30"}).text
    assert words(ru("example.cancelled_free", **twenty | {"hours": ru("hours", count=30)})) in words(early)
    with installed.tx() as tx:
        strict = replace(kind, cancel_until_minutes=24 * 60)
        save_policy(tx, installed.portal(), strict, viewer=ADMIN, now=NOW, policy_id=row.id)
    late = admin.post("/app/tariffs/example", **form, **SATURDAY).text
    assert words(ru("example.cancelled_late", **twenty)) in words(late)


@pytest.mark.parametrize(
    "typed", [{"price": ""}, {"price": "дорого"}, {"try_start": "25:00"}, {"try_hours": "-1"}, {"basis": "moon"}]
)
def test_what_is_not_finished_is_no_example(admin: Frame, typed: dict[str, str]) -> None:
    answer = admin.post("/app/tariffs/example", **tariff_form() | SATURDAY | typed)
    assert (answer.status_code, "₽" in answer.text) == (200, False)


def test_rules_are_told_as_people_read_them(admin: Frame) -> None:
    said = admin.post("/app/policies/example", **policy_form(name="", no_show_percent="70")).text
    assert ru("policy.no_show", percent=texts.percent("ru", 70)) in said
    unfinished = admin.post("/app/policies/example", **policy_form(no_show_percent="x"))
    assert (unfinished.status_code, "70" in unfinished.text) == (200, False)


def test_only_administrators(installed: Installed) -> None:
    for path in ("/app/tariffs/example", "/app/policies/example"):
        assert installed.open(MANAGER).post(path).status_code == 403
