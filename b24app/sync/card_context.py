"""One card of the CRM as whoever's token it is may see it: a contact, a company, or what is done for one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b24app.bitrix.client import BatchResult, Command
from b24app.bitrix.loose import as_map, text, whole
from b24app.booking.clients import ClientData
from b24app.errors import NotAllowed, Rejected
from b24app.sync.cards import client_of, entity_type, title_of

CLIENTS = ("contact", "company")


@dataclass(frozen=True, slots=True)
class CardContext:
    """The card that a person opened or named, or that a robot runs for.

    `kind`: deal, contact, company, lead, or dynamic_<entityTypeId> for an item of a smart process. `client`: of a lead
    that is no contact yet a person with a name and a phone.
    """

    kind: str
    id: int
    title: str
    client: ClientData | None = None
    responsible_id: int | None = None

    @property
    def booked_for(self) -> tuple[str, int] | None:
        """Kind and id of the card that a booking made here is for: this deal or client, else the client named here."""
        if self.kind in ("deal", *CLIENTS):
            return self.kind, self.id
        if self.client is not None and self.client.crm_id is not None:
            return self.client.kind, self.client.crm_id
        return None


def card_commands(kind: str, entity_id: int) -> dict[str, Command]:
    """The commands that read a card and, unless it is one itself, its client, in one batch."""
    number = entity_type(kind)
    assert number is not None, "a kind of card"
    commands = {"card": _get(number, entity_id)}
    if kind not in CLIENTS:
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
    client = client_of(kind, item) if kind in CLIENTS else _client_named(item, answers)
    if client is None and kind == "lead":
        client = _person(item)
    return CardContext(kind, entity_id, title_of(kind, item), client, whole(item.get("assignedById")))


def _item(answers: BatchResult, key: str) -> Mapping[str, Any]:
    return as_map(as_map(answers.results.get(key)).get("item"))


def _client_named(card: Mapping[str, Any], answers: BatchResult) -> ClientData | None:
    """The card's contact, or else its company; only what this visitor may read, and only what the card names."""
    for kind in CLIENTS:
        item = _item(answers, kind)
        if whole(card.get(f"{kind}Id")) and whole(item.get("id")) == whole(card.get(f"{kind}Id")):
            return client_of(kind, item)
    return None


def _person(lead: Mapping[str, Any]) -> ClientData | None:
    """Whom a lead is about before he is a contact: his name, else his company's, with the phone that it brought."""
    named = title_of("contact", lead) if text(lead.get("name")) or text(lead.get("lastName")) else ""
    name = named or text(lead.get("companyTitle"))
    found = client_of("contact", lead)
    return ClientData("person", name, found.phone, found.email) if name and found else None
