"""A portal in which something of every kind is set up, through the use cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from b24app.booking.access import save_access
from b24app.booking.closures import ClosureData, save_closure
from b24app.booking.kinds import KindData, save_kind
from b24app.booking.policies import make_policy, save_policy
from b24app.booking.portal_settings import save_settings
from b24app.booking.resources import ResourceData, SpecialDay, archive_resource, save_resource
from b24app.booking.services import ServiceData, archive_service, save_service
from b24app.booking.tariffs import save_tariff
from b24app.ledger.access import GrantRule
from b24app.ledger.catalog import Need
from b24app.ledger.models import Portal, PortalUser, Resource
from b24app.ledger.portal_settings import DealPolicy, PortalSettings
from b24app.scheduling.hours import OpeningHours
from b24app.scheduling.policy import Quota, Rung
from b24app.scheduling.pricing import Extra, PriceRule, Tariff
from tests.factories import ADMIN, OFFICE

LONGEST = 24 * 14
PRICES = Tariff(
    "Студия", "hour", Decimal(1500), (PriceRule(Decimal(2000), frozenset({5, 6}), season=((12, 20), (1, 10))),),
    (Extra("e1", "Свет", Decimal(300)),), 50,
)  # fmt: skip
STRICT = make_policy(
    name="Строгие", winner="payment", decide_minutes=120, cancel_ladder=(Rung(24, 50),),
    quotas=(Quota("client", "week", 3),),
)  # fmt: skip


def set_up(tx: Session, portal: Portal, now: datetime) -> dict[str, Resource]:
    """Kinds, tariffs, rules, resources (two called the same, one whole, one archived), closures, services, access and
    settings; the resources by key."""
    by: Any = {"viewer": ADMIN, "now": now}
    tx.add(PortalUser(portal_id=portal.id, user_id=7, name="Мария Лебедева", seen_at=now))
    own = save_kind(tx, portal, KindData("Корт", "Корты", for_people=True), **by)
    tariff = save_tariff(tx, portal, PRICES, **by)
    usual = save_policy(tx, portal, make_policy(name="Обычные", notice_minutes=30), **by, is_default=True)
    strict = save_policy(tx, portal, STRICT, **by, is_default=False)
    made: dict[str, Resource] = {}

    def add(key: str, data: ResourceData) -> None:
        made[key] = save_resource(tx, portal, data, **by, longest_hours=LONGEST, sort=len(made))

    room = ResourceData("room", "Ока", city="Пермь", hours=OFFICE, tariff_id=tariff.id, policy_id=strict.id)
    add("Ока", replace(room, special=(SpecialDay(date(2026, 12, 31), ((600, 840),)), SpecialDay(date(2027, 1, 1)))))
    add("Ока #2", replace(room, city="Уфа", time_zone="Asia/Yekaterinburg", units=3, buffer_after=15, holidays="RU"))
    person = ResourceData("specialist", "Мария", hours=(OpeningHours(0, 600, 1200),), portal_user_id=7)
    add("Мария", person)
    add("Весь этаж", ResourceData("hall", "Весь этаж", hours=OFFICE, parts=(made["Ока"].id, made["Ока #2"].id)))
    add("Корт", ResourceData(own.key, "Корт", hours=OFFICE, attributes={"Покрытие": "грунт"}))
    add("Старая", ResourceData("room", "Старая", hours=OFFICE))
    archive_resource(tx, portal, made["Старая"].id, **by)
    save_closure(tx, portal, ClosureData(date(2026, 5, 1), end_day=date(2026, 5, 3), reason="Праздники"), **by)
    save_closure(tx, portal, ClosureData(date(2026, 4, 1), start=600, end=720, resource_id=made["Ока #2"].id), **by)
    needs = (Need(None, (made["Мария"].id,), 1), Need("room", (), 1))
    cut = save_service(
        tx, portal, ServiceData("Стрижка", requirements=needs, tariff_id=tariff.id, policy_id=usual.id), **by,
        longest_hours=LONGEST,
    )  # fmt: skip
    gone = save_service(tx, portal, ServiceData("Бритьё", requirements=needs[:1]), **by, longest_hours=LONGEST)
    archive_service(tx, portal, gone.id, **by)
    assert cut.deal is None
    grants = [
        GrantRule("everything", "AU", "book"),
        GrantRule(f"resource:{made['Ока #2'].id}", "U7", "manage"),
        GrantRule("location:Пермь", "DR12", "approve"),
    ]
    save_access(tx, portal, grants, **by)
    settings = PortalSettings(remind_minutes=(30, 120), client_in_shared=True, deal=DealPolicy("link", products=True))
    save_settings(tx, portal, settings, funnels={}, **by)
    return made


def know(tx: Session, portal: Portal, user_id: int, name: str, now: datetime) -> None:
    """Somebody of that portal, who may have been seen before."""
    found = tx.execute(
        update(PortalUser).where(PortalUser.portal_id == portal.id, PortalUser.user_id == user_id).values(name=name)
    )
    if not found.rowcount:  # type: ignore[attr-defined]  # an update's result has it
        tx.add(PortalUser(portal_id=portal.id, user_id=user_id, name=name, seen_at=now))
    tx.flush()
