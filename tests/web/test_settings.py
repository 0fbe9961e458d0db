"""The administrators' forms for services, tariffs, rules and access, as a browser without a script sends them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from b24app.booking.policies import read_policy
from b24app.booking.services import data_of
from b24app.ledger import rules
from b24app.ledger.access import GrantRule
from b24app.ledger.models import Installation
from b24app.scheduling.policy import Quota, Rung
from b24app.scheduling.pricing import Extra, PriceRule, Tariff
from emulator import faults
from tests.stand import MANAGER, SECOND_MANAGER, Frame
from tests.web.installed import Installed, everything
from tests.web.test_board import booked, room, words
from tests.web.test_bookings import HOSTILE, at_fields, value_of

Form = dict[str, Any]
LISTS = {"services": "service", "tariffs": "tariff", "policies": "policy"}


class Sent(HTMLParser):
    """What a browser would send of the form on a page, were it sent as it came."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self.select, self.options = "", list[tuple[str, bool]]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self.select, self.options = given["name"], []
        elif tag == "option" and self.select:
            self.options.append((given["value"], "selected" in given))
        elif tag == "input" and (given["type"] not in ("checkbox", "radio") or "checked" in given):
            self.fields.setdefault(given["name"], []).append(given["value"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            chosen = [value for value, is_chosen in self.options if is_chosen] or [self.options[0][0]]
            self.fields.setdefault(self.select, []).extend(chosen)
            self.select = ""


def service_form(**changed: Any) -> Form:
    """An hour's massage in any meeting room."""
    return {
        "name": "Массаж", "mode": "fixed", "minutes": "60", "step_minutes": "15", "horizon_days": "30",
        "buffer_before": "0", "buffer_after": "10", "preference": "order", "sort": "0", "policy_id": "",
        "tariff_id": "", "requirements-0-kind": "room", "requirements-0-quantity": "1", **changed,
    }  # fmt: skip


def tariff_form(**changed: Any) -> Form:
    return {
        "name": "Обычный", "basis": "hour", "price": "1 500,50", "deposit_percent": "50", "rounding": "10", **changed,
    }  # fmt: skip


NO_TERM = ("hold_minutes", "pay_minutes", "notice_minutes", "cancel_until_minutes", "move_until_minutes")


def policy_form(**changed: Any) -> Form:
    return {
        "name": "Строгие", "winner": "first", **dict.fromkeys(NO_TERM, "0"), "no_show_percent": "0",
        "approval_minutes": "1", "approval_minutes-unit": "days", "after_end": "completed", **changed,
    }  # fmt: skip


def access_form(frame: Frame, **changed: Any) -> Form:
    return {"revision": value_of(frame.get("/app/access/edit"), "revision"), **changed}


FORMS: dict[str, Callable[..., Form]] = {"services": service_form, "tariffs": tariff_form, "policies": policy_form}


@pytest.fixture
def admin(installed: Installed) -> Frame:
    return installed.open()


@pytest.fixture
def ready(installed: Installed) -> None:
    """There is a meeting room to give."""
    room(installed, name="«Ока»")


def only(installed: Installed, kind: str) -> Any:
    """The one that there is."""
    with installed.tx() as tx:
        (row,) = getattr(rules, kind)(tx, installed.portal().id)
        return row


def saved(installed: Installed, admin: Frame, kind: str, **changed: Any) -> Any:
    """One that was saved through its form just now."""
    answer = admin.post(f"/app/{kind}", **FORMS[kind](**changed))
    assert answer.status_code == 200, at_fields(answer)
    return only(installed, kind)


# What is saved ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_service_is_saved_with_everything_that_the_form_says(installed: Installed, admin: Frame) -> None:
    one, two = room(installed, name="1"), room(installed, name="2")
    service = saved(
        installed, admin, "services", mode="slot", slot_minutes="30", most_slots="4", preference="least_used",
        **{
            "requirements-0-kind": "", "requirements-0-options": [str(two.id), "", str(one.id), ""],
            "requirements-3-kind": "room", "requirements-3-quantity": "1", "requirements-7-quantity": "5",
        },
    )  # fmt: skip
    with installed.tx() as tx:
        data = data_of(service, rules.needs(tx, installed.portal().id, [service.id])[service.id])
    assert (data.min_minutes, data.max_minutes, data.step_minutes) == (30, 120, 30)
    assert (data.horizon_days, data.buffer_after, data.preference) == (30, 10, "least_used")
    assert [(need.kind, need.options, need.quantity) for need in data.requirements] == [
        (None, (two.id, one.id), 1),
        ("room", (), 1),
    ]


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ({"mode": "fixed", "minutes": "50", "step_minutes": "10"}, (50, 50, 10)),
        ({"mode": "free", "min_minutes": "45", "max_minutes": "200", "step_minutes": "1"}, (45, 200, 1)),
        ({"mode": "slot", "slot_minutes": "90", "most_slots": "3", "minutes": "x"}, (90, 270, 90)),
    ],
)
def test_every_way_to_take_time_can_be_entered(
    installed: Installed, admin: Frame, mode: Form, expected: tuple[int, int, int]
) -> None:
    service = saved(installed, admin, "services", **mode)
    assert (service.min_minutes, service.max_minutes, service.step_minutes) == expected
    assert f'value="{mode["mode"]}" checked' in admin.get(f"/app/services/{service.id}").text


def test_a_tariff_is_saved_with_its_rows(installed: Installed, admin: Frame) -> None:
    row = saved(
        installed, admin, "tariffs",
        **{
            "rules-0-weekdays": ["5", "6"], "rules-0-from_minute": "10", "rules-0-until_minute": "22:00",
            "rules-0-season": "20.12 – 10.01", "rules-0-group": " Друзья ", "rules-0-price": "2000",
            "rules-4-price": "1000", "rules-4-from_minute": "22:00",
            "extras-0-name": "Уборка", "extras-0-price": "300", "extras-0-per": "booking",
            "extras-1-name": "Кофе", "extras-1-price": "150", "extras-1-per": "person", "extras-2-per": "hour",
        },
    )  # fmt: skip
    tariff = Tariff.from_dict(row.body)
    assert (str(tariff.price), tariff.deposit_percent, str(tariff.rounding)) == ("1500.50", 50, "10")
    winter = PriceRule(tariff.rules[0].price, frozenset({5, 6}), 600, 1320, ((12, 20), (1, 10)), "Друзья")
    assert tariff.rules == (winter, PriceRule(tariff.rules[1].price, from_minute=1320))
    assert tariff.extras == (
        Extra("e1", "Уборка", tariff.extras[0].price),
        Extra("e2", "Кофе", tariff.extras[1].price, "person"),
    )


def test_an_extra_that_is_renamed_keeps_its_code(installed: Installed, admin: Frame) -> None:
    """Bookings name extras by their code; a new row gets one that none has."""
    row = saved(installed, admin, "tariffs", **{"extras-0-name": "Кофе", "extras-0-price": "1"})
    form = Sent(admin.get(f"/app/tariffs/{row.id}").text).fields
    form |= {"extras-0-name": ["Чай"], "extras-1-name": ["Сок"], "extras-1-price": ["2"]}
    assert admin.post(f"/app/tariffs/{row.id}", **form).status_code == 200
    extras = Tariff.from_dict(only(installed, "tariffs").body).extras
    assert [(one.code, one.name) for one in extras] == [("e1", "Чай"), ("e2", "Сок")]


def test_rules_are_saved_with_their_terms_and_rows(installed: Installed, admin: Frame) -> None:
    row = saved(
        installed, admin, "policies", winner="payment", decide_minutes="2", is_default="y", most_moves="2",
        **{
            "decide_minutes-unit": "hours", "notice_minutes": "90", "cancel_until_minutes": "3",
            "cancel_until_minutes-unit": "days", "cancel_ladder-0-hours": "24", "cancel_ladder-0-percent": "50",
            "cancel_ladder-1-hours": "3", "cancel_ladder-1-percent": "100", "no_show_percent": "100",
            "quotas-0-limit": "3", "quotas-0-unit": "bookings", "quotas-0-per": "client", "quotas-0-period": "week",
            "quotas-1-limit": "10", "quotas-1-unit": "hours", "quotas-1-per": "person", "quotas-1-period": "ahead",
            "quotas-2-unit": "bookings", "quotas-2-per": "client", "quotas-2-period": "week",
        },
    )  # fmt: skip
    policy = read_policy(row)
    assert (policy.winner, policy.decide_minutes, policy.notice_minutes) == ("payment", 120, 90)
    assert (policy.cancel_until_minutes, policy.approval_minutes, policy.most_moves) == (3 * 1440, 1440, 2)
    assert policy.cancel_ladder == (Rung(24, 50), Rung(3, 100))
    assert policy.quotas == (Quota("client", "week", 3), Quota("person", "ahead", 600, "minutes"))
    assert row.is_default


def test_access_is_saved_as_a_whole(installed: Installed, admin: Frame) -> None:
    room(installed, name="«Ока»", city="Пермь")
    answer = admin.post(
        "/app/access",
        **access_form(
            admin,
            **{
                "grants-0-code": "au", "grants-0-scope": "everything", "grants-0-right": "busy",
                "grants-1-code": f"U{SECOND_MANAGER}", "grants-1-scope": "location:Пермь", "grants-1-right": "manage",
                "grants-2-code": "DR2", "grants-2-scope": "kind:room", "grants-2-right": "book",
                "grants-3-code": "", "grants-3-scope": "everything", "grants-3-right": "book",
            },
        ),
    )  # fmt: skip
    assert answer.status_code == 200, at_fields(answer)
    for name in ("Тимур Ахметов", "Москва", "Пермь"):
        assert name in answer.text
    with installed.tx() as tx:
        assert rules.all_grants(tx, installed.portal().id) == [
            GrantRule("everything", "AU", "busy"),
            GrantRule("location:Пермь", f"U{SECOND_MANAGER}", "manage"),
            GrantRule("kind:room", "DR2", "book"),
        ]
    assert installed.open(MANAGER).get("/app/access").status_code == 403


def rich(kind: str) -> Form:
    """A form with something in each kind of row."""
    forms: dict[str, Form] = {
        "services": {"requirements-1-options": ["1"], "requirements-1-quantity": "1", "requirements-0-kind": "hall"},
        "tariffs": {
            "rules-0-weekdays": ["0", "4"], "rules-0-price": "7", "rules-0-season": "01.06–31.08",
            "rules-0-until_minute": "12:30", "extras-0-name": "Чай", "extras-0-price": "0.5", "extras-0-per": "hour",
        },
        "policies": {
            "hold_minutes": "90", "notice_minutes": "48", "notice_minutes-unit": "hours", "is_default": "y",
            "move_ladder-0-hours": "5", "move_ladder-0-percent": "20", "quotas-0-limit": "90",
            "quotas-0-unit": "minutes", "quotas-0-per": "department", "quotas-0-period": "month",
        },
    }  # fmt: skip
    return forms[kind]


@pytest.mark.parametrize("kind", LISTS)
def test_a_form_that_is_sent_as_it_came_changes_nothing(installed: Installed, admin: Frame, kind: str) -> None:
    room(installed, name="«Ока»")
    room(installed, name="Зал", kind="hall")
    row = saved(installed, admin, kind, **rich(kind))
    before = meaning(installed, kind)
    answer = admin.post(f"/app/{kind}/{row.id}", **Sent(admin.get(f"/app/{kind}/{row.id}").text).fields)
    assert answer.status_code == 200, at_fields(answer)
    assert meaning(installed, kind) == before
    assert only(installed, kind).revision == 2


def meaning(installed: Installed, kind: str) -> Any:
    """What the one row says, whatever its revision."""
    row = only(installed, kind)
    if kind == "services":
        with installed.tx() as tx:
            return data_of(row, rules.needs(tx, row.portal_id, [row.id])[row.id])
    return row.body if kind == "tariffs" else (row.rules, row.name, row.is_default)


def test_access_that_is_sent_as_it_came_changes_nothing(installed: Installed, admin: Frame) -> None:
    with installed.tx() as tx:
        before = rules.all_grants(tx, installed.portal().id)
    form = Sent(admin.get("/app/access/edit").text).fields
    assert admin.post("/app/access", **form).status_code == 200
    with installed.tx() as tx:
        assert rules.all_grants(tx, installed.portal().id) == before


# What is refused ─────────────────────────────────────────────────────────────────────────────────────────────────────

LADDER = {"cancel_ladder-0-hours": "24", "cancel_ladder-0-percent": "50", "cancel_ladder-1-hours": "3"}
QUOTA = {"quotas-1-unit": "bookings", "quotas-1-per": "client", "quotas-1-period": "week"}
BAD: list[tuple[str, Form, set[str]]] = [
    ("services", {"name": "  "}, {"name"}),
    ("services", {"name": "я" * 100_000}, {"name"}),
    ("services", {"mode": "whenever"}, {"mode"}),
    ("services", {"minutes": ""}, {"minutes"}),
    ("services", {"minutes": "час"}, {"minutes"}),
    ("services", {"minutes": "0"}, {"minutes"}),
    ("services", {"minutes": "999999"}, {"minutes"}),
    ("services", {"mode": "slot", "slot_minutes": "", "most_slots": "2"}, {"slot_minutes"}),
    ("services", {"mode": "slot", "slot_minutes": "30", "most_slots": "0"}, {"slot_minutes"}),
    ("services", {"mode": "slot", "slot_minutes": "-30", "most_slots": "2"}, {"slot_minutes"}),
    ("services", {"mode": "slot", "slot_minutes": "30", "most_slots": "9" * 12}, {"most_slots"}),
    ("services", {"mode": "free", "min_minutes": "40", "max_minutes": "100"}, {"min_minutes", "max_minutes"}),
    ("services", {"mode": "free", "min_minutes": "60", "max_minutes": "30"}, {"min_minutes"}),
    ("services", {"step_minutes": "0"}, {"step_minutes"}),
    ("services", {"horizon_days": "9999"}, {"horizon_days"}),
    ("services", {"buffer_before": "-1", "buffer_after": "5000"}, {"buffer_before", "buffer_after"}),
    ("services", {"preference": "dearest"}, {"preference"}),
    ("services", {"sort": "9" * 15}, {"sort"}),
    ("services", {"tariff_id": "987654"}, {"tariff_id"}),
    ("services", {"policy_id": "987654"}, {"policy_id"}),
    ("services", {"policy_id": "x"}, {"policy_id"}),
    ("services", {"requirements-0-kind": ""}, {"requirements"}),
    ("services", {"requirements-0-kind": "ship"}, {"requirements-0-kind"}),
    ("services", {"requirements-0-quantity": ""}, {"requirements-0-quantity"}),
    ("services", {"requirements-0-quantity": "2"}, {"requirements-0-quantity"}),
    ("services", {"requirements-0-options": ["1"]}, {"requirements-0-options"}),
    ("services", {"requirements-0-kind": "", "requirements-0-options": ["x"]}, {"requirements-0-options"}),
    ("services", {"requirements-0-kind": "", "requirements-0-options": ["9" * 15]}, {"requirements-0-options"}),
    ("services", {"requirements-9-kind": "room", "requirements-9-quantity": "1"}, {"requirements-1-quantity"}),
    ("tariffs", {"name": ""}, {"name"}),
    ("tariffs", {"basis": "month"}, {"basis"}),
    ("tariffs", {"price": "-1"}, {"price"}),
    ("tariffs", {"price": "даром"}, {"price"}),
    ("tariffs", {"price": "NaN"}, {"price"}),
    ("tariffs", {"price": "1e5"}, {"price"}),
    ("tariffs", {"price": "100000001"}, {"price"}),
    ("tariffs", {"price": "9" * 40}, {"price"}),
    ("tariffs", {"price": "1.999"}, {"price"}),
    ("tariffs", {"deposit_percent": "101"}, {"deposit_percent"}),
    ("tariffs", {"deposit_percent": ""}, {"deposit_percent"}),
    ("tariffs", {"rounding": "7"}, {"rounding"}),
    ("tariffs", {"rounding": "x"}, {"rounding"}),
    ("tariffs", {"basis": "slot", "slot_minutes": ""}, {"slot_minutes"}),
    ("tariffs", {"basis": "slot", "slot_minutes": "0"}, {"slot_minutes"}),
    ("tariffs", {"price": ""}, {"rules"}),
    ("tariffs", {"price": "", "rules-0-price": "5", "rules-0-until_minute": "12:00"}, {"rules"}),
    ("tariffs", {"rules-3-weekdays": ["5"]}, {"rules-0-price"}),
    ("tariffs", {"rules-0-price": "-1"}, {"rules-0-price"}),
    ("tariffs", {"rules-0-price": "5", "rules-0-weekdays": ["9"]}, {"rules-0-weekdays"}),
    ("tariffs", {"rules-0-price": "5", "rules-0-weekdays": ["x"]}, {"rules-0-weekdays"}),
    ("tariffs", {"rules-0-price": "5", "rules-0-from_minute": "25"}, {"rules-0-from_minute"}),
    (
        "tariffs",
        {"rules-0-price": "5", "rules-0-from_minute": "12", "rules-0-until_minute": "9"},
        {"rules-0-until_minute"},
    ),
    ("tariffs", {"rules-0-price": "5", "rules-0-season": "лето"}, {"rules-0-season"}),
    ("tariffs", {"rules-0-price": "5", "rules-0-season": "30.02–01.03"}, {"rules-0-season"}),
    ("tariffs", {"extras-0-name": "Кофе"}, {"extras-0-price"}),
    ("tariffs", {"extras-0-price": "5"}, {"extras-0-name"}),
    ("tariffs", {"extras-0-name": "Кофе", "extras-0-price": "5", "extras-0-per": "year"}, {"extras-0-per"}),
    ("policies", {"name": ""}, {"name"}),
    ("policies", {"winner": "dearest"}, {"winner"}),
    ("policies", {"hold_minutes": "-1"}, {"hold_minutes"}),
    ("policies", {"hold_minutes": ""}, {"hold_minutes"}),
    ("policies", {"hold_minutes": "400", "hold_minutes-unit": "days"}, {"hold_minutes"}),
    ("policies", {"winner": "payment"}, {"decide_minutes"}),
    ("policies", {"winner": "manager", "decide_minutes": "0"}, {"decide_minutes"}),
    ("policies", {"approval_minutes": "0"}, {"approval_minutes"}),
    ("policies", {"notice_minutes": "вчера"}, {"notice_minutes"}),
    ("policies", {"most_moves": "-1"}, {"most_moves"}),
    ("policies", {"no_show_percent": "500"}, {"no_show_percent"}),
    ("policies", {"after_end": "nothing"}, {"after_end"}),
    ("policies", {**LADDER, "cancel_ladder-1-percent": "20"}, {"cancel_ladder-1-percent"}),
    ("policies", LADDER, {"cancel_ladder-1-percent"}),
    (
        "policies",
        {**LADDER, "cancel_ladder-1-percent": "100", "cancel_ladder-1-hours": "24"},
        {"cancel_ladder-1-hours"},
    ),
    ("policies", {**QUOTA, "quotas-1-limit": "0"}, {"quotas-0-limit"}),
    ("policies", {**QUOTA, "quotas-1-limit": "-2"}, {"quotas-0-limit"}),
    ("policies", {**QUOTA, "quotas-1-limit": "9" * 15}, {"quotas-0-limit"}),
    ("policies", {**QUOTA, "quotas-1-limit": "3", "quotas-1-per": "planet"}, {"quotas-0-per"}),
]


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(("kind", "changed", "fields"), BAD)
def test_bad_input_names_its_field_and_changes_nothing(
    installed: Installed, admin: Frame, kind: str, changed: Form, fields: set[str]
) -> None:
    before = everything(installed.engine)
    answer = admin.post(f"/app/{kind}", **FORMS[kind](**changed))
    assert (answer.status_code, set(at_fields(answer))) == (422, fields)
    assert answer.headers["HX-Retarget"] == "#panel-body"
    for field in fields:
        assert f'id="f-{field}"' in answer.text
    assert everything(installed.engine) == before


BAD_ACCESS: list[tuple[Form, set[str]]] = [
    ({"grants-0-code": "U5 OR 1=1", "grants-0-scope": "everything", "grants-0-right": "book"}, {"grants-0-code"}),
    ({"grants-0-code": "U4242", "grants-0-scope": "everything", "grants-0-right": "book"}, {"grants-0-code"}),
    ({"grants-0-code": "DR99", "grants-0-scope": "everything", "grants-0-right": "book"}, {"grants-0-code"}),
    ({"grants-0-code": "AU", "grants-0-scope": "moon", "grants-0-right": "book"}, {"grants-0-scope"}),
    ({"grants-0-code": "AU", "grants-0-scope": "resource:9", "grants-0-right": "book"}, {"grants-0-scope"}),
    ({"grants-0-code": "AU", "grants-0-scope": "everything", "grants-0-right": "own"}, {"grants-0-right"}),
    ({"grants-0-code": "AU"} | {"grants-5-code": "AU"}, {"grants-1-code"}),
]


@pytest.mark.parametrize(("changed", "fields"), BAD_ACCESS)
def test_bad_access_names_its_field_and_changes_nothing(
    installed: Installed, admin: Frame, changed: Form, fields: set[str]
) -> None:
    form = access_form(admin, **changed)
    before = everything(installed.engine)
    answer = admin.post("/app/access", **form)
    assert (answer.status_code, set(at_fields(answer))) == (422, fields)
    assert everything(installed.engine) == before


def test_a_digit_that_is_none_does_not_break_a_form(admin: Frame) -> None:
    """«²» is a digit to Python and no number."""
    answer = admin.post("/app/tariffs", **tariff_form(**{"rules-²-price": "1", "rules-99999999999-price": "1"}))
    assert answer.status_code == 200


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("kind", LISTS)
def test_what_was_typed_is_shown_again(admin: Frame, kind: str) -> None:
    answer = admin.post(f"/app/{kind}", **FORMS[kind](name="Моё", revision="x", **rich(kind)))
    assert answer.status_code == 422
    again = Sent(answer.text).fields
    assert again["name"] == ["Моё"]
    for name, value in rich(kind).items():
        sent = value if isinstance(value, list) else [value]
        assert [one for one in again[name] if one] == sent, name


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("kind", LISTS)
def test_what_was_changed_meanwhile_is_not_overwritten(installed: Installed, admin: Frame, kind: str) -> None:
    row = saved(installed, admin, kind)
    form = FORMS[kind](revision=1)
    assert admin.post(f"/app/{kind}/{row.id}", **form | {"name": "Первый"}).status_code == 200
    answer = admin.post(f"/app/{kind}/{row.id}", **form | {"name": "Второй"})
    assert (answer.status_code, value_of(answer, "revision")) == (409, "2")
    assert only(installed, kind).name == "Первый"


def test_access_that_was_changed_meanwhile_is_not_overwritten(installed: Installed, admin: Frame) -> None:
    form = access_form(
        admin, **{"grants-0-code": "AU", "grants-0-scope": "everything", "grants-0-right": "see"}
    )  # fmt: skip
    assert admin.post("/app/access", **form).status_code == 200
    answer = admin.post("/app/access", **form | {"grants-0-right": "book"})
    assert answer.status_code == 409
    assert admin.post("/app/access", **Sent(answer.text).fields).status_code == 200


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("kind", LISTS)
def test_names_are_shown_verbatim(installed: Installed, admin: Frame, kind: str) -> None:
    row = saved(installed, admin, kind, name=HOSTILE)
    for page in (admin.get(f"/app/{kind}"), admin.get(f"/app/{kind}/{row.id}")):
        assert "<script>" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; 😀 $result[x][id] {0} %(x)s" in page.text


# Removing and archiving ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("ready")
def test_an_archived_service_is_set_apart_and_comes_back(installed: Installed, admin: Frame) -> None:
    service = saved(installed, admin, "services")
    assert admin.post(f"/app/services/{service.id}/archive", revision=1).status_code == 200
    assert 'class="dropped"' in admin.get("/app/services").text
    assert admin.post(f"/app/services/{service.id}/archive", revision=1).status_code == 409
    assert admin.post(f"/app/services/{service.id}/restore", revision=2).status_code == 200
    assert 'class="dropped"' not in admin.get("/app/services").text


def test_a_service_without_its_resource_does_not_come_back(installed: Installed, admin: Frame) -> None:
    resource = room(installed)
    named = {"requirements-0-kind": "", "requirements-0-options": [str(resource.id)]}
    service = saved(installed, admin, "services", **named)
    admin.post(f"/app/services/{service.id}/archive", revision=1)
    admin.post(f"/app/resources/{resource.id}/archive", revision=1)
    answer = admin.post(f"/app/services/{service.id}/restore", revision=2)
    assert (answer.status_code, set(at_fields(answer))) == (422, {"requirements-0-options"})
    assert resource.name in words(answer.text)  # so that one sees what is missing


@pytest.mark.parametrize("kind", ["tariffs", "policies"])
def test_what_nothing_has_can_be_removed(installed: Installed, admin: Frame, kind: str) -> None:
    row = saved(installed, admin, kind)
    assert f"/app/{kind}/{row.id}/remove" in admin.get(f"/app/{kind}/{row.id}").text
    assert admin.post(f"/app/{kind}/{row.id}/remove", revision=9).status_code == 409
    assert admin.post(f"/app/{kind}/{row.id}/remove", revision=1).status_code == 200
    assert admin.get(f"/app/{kind}/{row.id}").status_code == 404


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(("kind", "field"), [("tariffs", "tariff_id"), ("policies", "policy_id")])
def test_what_a_service_has_stays(installed: Installed, admin: Frame, kind: str, field: str) -> None:
    row = saved(installed, admin, kind)
    saved(installed, admin, "services", name="Съёмка", **{field: str(row.id)})
    page = admin.get(f"/app/{kind}/{row.id}").text
    assert "Съёмка" in page
    assert f"/app/{kind}/{row.id}/remove" not in page
    before = everything(installed.engine)
    answer = admin.post(f"/app/{kind}/{row.id}/remove", revision=1)
    assert answer.status_code == 422
    assert f'href="#f-{LISTS[kind]}"' in answer.text
    assert everything(installed.engine) == before


# What the pages tell ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tariff_shows_what_a_booking_would_cost(installed: Installed, admin: Frame) -> None:
    row = saved(
        installed, admin, "tariffs", price="1000", rounding="0.01",
        **{"rules-0-weekdays": ["4"], "rules-0-from_minute": "19:00", "rules-0-price": "2000"},
    )  # fmt: skip
    page = words(admin.get(f"/app/tariffs/{row.id}").text)
    assert re.search("Пт, 13 марта, 18:00–20:00 ?: 3 000 ₽", page)  # an hour at each price
    assert "1 500 ₽" in page  # half of it in advance
    assert "3 000 ₽" in words(admin.get("/app/tariffs").text)


def test_rules_are_told_in_words(installed: Installed, admin: Frame) -> None:
    saved(installed, admin, "policies", hold_minutes="2", **{"hold_minutes-unit": "hours"})
    frame = installed.open(LANG="en")
    row = only(installed, "policies")
    assert "The pre-booking holds for 2 h" in words(frame.get(f"/app/policies/{row.id}").text)
    assert "The pre-booking holds for 2 h" in words(frame.get("/app/policies").text)


def test_terms_are_shown_in_the_largest_whole_unit(installed: Installed, admin: Frame) -> None:
    row = saved(
        installed, admin, "policies", notice_minutes="2880", cancel_until_minutes="90", move_until_minutes="120"
    )
    form = Sent(admin.get(f"/app/policies/{row.id}").text).fields
    for name, shown in (("notice", ["2", "days"]), ("cancel_until", ["90", "minutes"]), ("move_until", ["2", "hours"])):
        assert [*form[f"{name}_minutes"], *form[f"{name}_minutes-unit"]] == shown


@pytest.mark.usefixtures("ready")
def test_there_are_always_empty_rows(installed: Installed, admin: Frame) -> None:
    for path, rows in (("services/new", "requirements"), ("tariffs/new", "rules"), ("policies/new", "quotas")):
        assert f'name="{rows}-1-' in admin.get(f"/app/{path}").text
    row = saved(installed, admin, "tariffs", **{f"rules-{n}-price": "1" for n in range(3)})
    assert 'name="rules-4-price"' in admin.get(f"/app/tariffs/{row.id}").text
    refused = admin.post("/app/tariffs", **tariff_form(name="", **{f"rules-{n}-price": "1" for n in range(3)}))
    assert 'name="rules-4-price"' in refused.text


def test_every_tab_leads_to_a_list(admin: Frame) -> None:
    page = admin.get("/app/services").text
    tabs = re.findall(r'<a href="#(\w+)" hx-get="([^"]+)"', page)
    assert [name for name, _ in tabs] == [
        "guide", "resources", "closures", "services", "tariffs", "policies", "access", "portal", "changes",
        "configuration", "in_step", "health_page",
    ]  # fmt: skip
    for name, path in tabs:
        answer = admin.get(path)
        assert answer.status_code == 200
        assert f'<section id="{name}"' in answer.text
        if name != "guide":  # which has questions where others have tabs
            assert f'href="#{name}" hx-get="{path}" hx-target="#view" aria-current="page"' in answer.text


def test_access_is_shown_though_the_portal_does_not_answer(installed: Installed, admin: Frame) -> None:
    grant = {"grants-0-code": f"U{MANAGER}", "grants-0-scope": "everything", "grants-0-right": "book"}
    admin.post("/app/access", **access_form(admin, **grant))
    for method in ("access.name", "user.get"):
        faults.add(installed.stand.world, {"method": method, "kind": "500", "probability": 1.0, "times": None})
    assert admin.get("/app/access").status_code == 200
    assert admin.get("/app/access/edit").status_code == 200
    form = access_form(admin, **grant)
    assert admin.post("/app/access", **form).status_code == 200  # nobody new is in it
    new = {"grants-1-code": "D1", "grants-1-scope": "everything", "grants-1-right": "book"}
    before = everything(installed.engine)
    answer = admin.post("/app/access", **access_form(admin, **grant, **new))
    assert answer.status_code == 503
    assert Sent(answer.text).fields["grants-1-code"] == ["D1"]
    assert everything(installed.engine) == before


# The currency ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_currency_is_chosen_and_prices_follow(installed: Installed, admin: Frame) -> None:
    answer = admin.post("/app/tariffs/currency", currency="KZT")
    assert answer.status_code == 200
    assert re.search(r'<option value="KZT" selected>', answer.text)
    assert installed.portal().currency == "KZT"
    saved(installed, admin, "tariffs", price="1000")
    assert "2 000 KZT" in words(admin.get("/app/tariffs").text)


@pytest.mark.parametrize("currency", ["", "XXX", "<script>"])
def test_what_is_no_currency_is_refused(installed: Installed, admin: Frame, currency: str) -> None:
    before = everything(installed.engine)
    answer = admin.post("/app/tariffs/currency", currency=currency)
    assert (answer.status_code, set(at_fields(answer))) == (422, {"currency"})
    assert everything(installed.engine) == before


def test_the_currency_stays_once_there_are_prices(installed: Installed, admin: Frame) -> None:
    tariff = saved(installed, admin, "tariffs", price="1000")
    booked(installed, room(installed, tariff_id=tariff.id))
    before = everything(installed.engine)
    answer = admin.post("/app/tariffs/currency", currency="USD")
    assert (answer.status_code, set(at_fields(answer))) == (422, {"currency"})
    assert everything(installed.engine) == before


# Who may ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def requests_of(installed: Installed, admin: Frame) -> Iterator[tuple[str, str, Form]]:
    """Every address of these pages, with a form that would be accepted."""
    for kind, form in FORMS.items():
        row = saved(installed, admin, kind)
        yield from (("GET", f"/app/{kind}{path}", {}) for path in ("", "/new", f"/{row.id}"))
        yield from (("POST", f"/app/{kind}{path}", form(revision=1)) for path in ("", f"/{row.id}"))
        actions = ("archive", "restore") if kind == "services" else ("remove",)
        yield from (("POST", f"/app/{kind}/{row.id}/{action}", {"revision": 1}) for action in actions)
    yield from (("GET", path, {}) for path in ("/app/access", "/app/access/edit"))
    someone = {"grants-0-code": "AU", "grants-0-scope": "everything", "grants-0-right": "book"}
    yield "POST", "/app/access", access_form(admin, **someone)
    yield "POST", "/app/tariffs/currency", {"currency": "USD"}


@pytest.mark.usefixtures("ready")
def test_all_of_it_is_for_administrators(installed: Installed, admin: Frame) -> None:
    asked = list(requests_of(installed, admin))
    frame, before = installed.open(MANAGER), everything(installed.engine)
    for method, path, form in asked:
        answer = frame.get(path) if method == "GET" else frame.post(path, **form)
        assert answer.status_code == 403, path
    assert everything(installed.engine) == before


@pytest.mark.usefixtures("ready")
def test_nothing_is_changed_while_the_application_is_unpaid(installed: Installed, admin: Frame) -> None:
    asked = list(requests_of(installed, admin))
    with installed.tx() as tx:
        tx.get_one(Installation, installed.installation().id).payment_expired = True
    before = everything(installed.engine)
    for method, path, form in asked:
        answer = admin.get(path) if method == "GET" else admin.post(path, **form)
        assert answer.status_code == (200 if method == "GET" else 403), path
    assert everything(installed.engine) == before


@pytest.mark.parametrize("kind", LISTS)
def test_what_is_not_here_is_404(admin: Frame, kind: str) -> None:
    actions = ("archive", "restore") if kind == "services" else ("remove",)
    assert admin.get(f"/app/{kind}/987654").status_code == 404
    assert admin.get(f"/app/{kind}/{10**30}").status_code == 404
    for path, form in (("", FORMS[kind](revision=1)), *((f"/{action}", {"revision": 1}) for action in actions)):
        assert admin.post(f"/app/{kind}/987654{path}", **form).status_code == 404
