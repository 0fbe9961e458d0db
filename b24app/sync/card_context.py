"""One card of the CRM as whoever's token it is may see it: a deal with its client, a contact, a company."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b24app.bitrix.client import BatchResult, Command
from b24app.bitrix.loose import as_map, whole
from b24app.booking.clients import ClientData
from b24app.errors import NotAllowed, Rejected
from b24app.sync.cards import ENTITY_TYPES, client_of, title_of


@dataclass(frozen=True, slots=True)
class CardContext:
    """The card that a person opened or named, or that a robot runs for. `kind`: deal, contact or company."""

    kind: str
    id: int
    title: str
    client: ClientData | None = None
    responsible_id: int | None = None


def card_commands(kind: str, entity_id: int) -> dict[str, Command]:
    """The commands that read a card and, of a deal, its client, in one batch."""
    commands = {"card": _get(ENTITY_TYPES[kind], entity_id)}
    if kind == "deal":
        commands["contact"] = _get(3, "$result[card][item][contactId]")
        commands["company"] = _get(4, "$result[card][item][companyId]")
    return commands


def _get(entity_type_id: int, entity_id: int | str) -> Command:
    return Command("crm.item.get", {"entityTypeId": entity_type_id, "id": entity_id}, references=True)


def card_of(kind: str, entity_id: int, answers: BatchResult) -> CardContext:
    """The card out of the answers to `card_commands`; raises NotAllowed("card") when the CRM does not show it."""
    if "card" not in answers.results:
        error = answers.errors.get("card")
        if error is not None and not isinstance(error, Rejected):
            raise error
        raise NotAllowed("card")
    item = _item(answers, "card")
    client = _client_of_deal(item, answers) if kind == "deal" else client_of(kind, item)
    return CardContext(kind, entity_id, title_of(kind, item), client, whole(item.get("assignedById")))


def _item(answers: BatchResult, key: str) -> Mapping[str, Any]:
    return as_map(as_map(answers.results.get(key)).get("item"))


def _client_of_deal(deal: Mapping[str, Any], answers: BatchResult) -> ClientData | None:
    """The deal's contact, or else its company; only what this visitor may read, and only what the deal names."""
    for kind in ("contact", "company"):
        item = _item(answers, kind)
        if whole(deal.get(f"{kind}Id")) and whole(item.get("id")) == whole(deal.get(f"{kind}Id")):
            return client_of(kind, item)
    return None
