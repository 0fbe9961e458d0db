"""A booking's deal as its panel shows it, read with the visitor's own token: title, amount, stage, responsible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext as _

from b24app import texts
from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, text, whole
from b24app.errors import NotAllowed, Permanent
from b24app.ledger import tenancy
from b24app.ledger.session import transaction
from b24app.web.crm import crm
from b24app.web.visit import current_visit, services

DEAL = 2
STAGES = "DEAL_STAGE"  # of the first funnel; others are DEAL_STAGE_<number>


@dataclass(frozen=True, slots=True)
class DealCard:
    """What the CRM shows this visitor of a deal; `sum` says amount and stage: «18 600 ₽, «Бронь и оплата»»."""

    title: str
    sum: str
    responsible: str


def read_deal(deal_id: int) -> DealCard | None:
    """(calls) The deal in one round trip; None where the CRM does not show it. Raises Retryable."""
    commands = {
        "deal": Command("crm.item.get", {"entityTypeId": DEAL, "id": deal_id}),
        "stages": Command(
            "crm.status.list", {"filter": {"STATUS_ID": "$result[deal][item][stageId]"}}, references=True
        ),
    }
    try:
        answers = crm().batch(commands)
    except (NotAllowed, Permanent):
        return None
    item = as_map(as_map(answers.results.get("deal")).get("item"))
    if not item:
        return None
    stage = _stage(answers.results.get("stages"))
    quoted = _("“%(stage)s”", stage=stage) if stage else ""
    parts = filter(None, (_amount(item), quoted))
    return DealCard(text(item.get("title")), ", ".join(parts), _person(whole(item.get("assignedById"))))


def _stage(rows: Any) -> str:
    """The stage's name: other directories of the CRM use the same ids."""
    found = [as_map(row) for row in rows] if isinstance(rows, list) else []
    return next((text(row.get("NAME")) for row in found if text(row.get("ENTITY_ID")).startswith(STAGES)), "")


def _amount(item: Mapping[str, Any]) -> str:
    try:
        amount = Decimal(str(item.get("opportunity") or 0))
    except InvalidOperation:
        return ""
    currency = text(item.get("currencyId"))
    return texts.money(current_visit().language, amount, currency) if amount and currency else ""


def _person(user_id: int | None) -> str:
    """By name where we know him."""
    if not user_id:
        return ""
    with transaction(services().engine) as tx:
        return tenancy.user_names(tx, current_visit().portal_id, [user_id]).get(user_id, "")
