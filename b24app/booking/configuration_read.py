"""The configuration of a portal as it is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from b24app.booking import closures, kinds, resources
from b24app.booking import services as offered
from b24app.booking.closures import ClosureData
from b24app.booking.configuration import Configuration, Item, closure, grant, kind
from b24app.booking.configuration_parts import PARTS
from b24app.booking.plain import plain
from b24app.booking.policies import read_policy
from b24app.ledger import configured, directory, rules, tenancy
from b24app.ledger import kinds as kept
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.catalog import Need
from b24app.ledger.models import Portal, Service
from b24app.ledger.portal_settings import DealPolicy, PortalSettings
from b24app.ledger.session import Tx
from b24app.scheduling.pricing import Tariff

RESOURCE_SCOPE = "resource:"
# Fields of a resource that are ids of the portal's people and groups.
NAMES_PEOPLE = (("U", "portal_user_id"), ("SG", "calendar_owner"))


@dataclass(frozen=True, slots=True)
class Known:
    """The configuration, and the id of everything in it, by section and key."""

    configuration: Configuration
    ids: dict[str, dict[str, int]]


def read(tx: Tx, portal: Portal, now: datetime) -> Configuration:
    """Everything that is set up in the portal; closures that are over are left out."""
    return read_known(tx, portal, now).configuration


def read_known(tx: Tx, portal: Portal, now: datetime) -> Known:
    """The same with ids, for those who change it."""
    found = _Reading(tx, portal, now)
    sections = {section: tuple(getattr(found, section)()) for section in PARTS}
    grants = rules.all_grants(tx, portal.id)
    access = tuple(grant(found.scope(one), one.code, one.right) for one in grants)
    people = found.people(grants, sections["resources"])
    settings = plain(PortalSettings.from_json(portal.settings))
    value = Configuration(portal.currency, settings, **sections, access=access, people=people, portal=portal.member_id)
    return Known(value, found.ids)


class _Reading:
    """One reading: `ids` and `keys` of what was read so far, which the following sections refer to."""

    def __init__(self, tx: Tx, portal: Portal, now: datetime) -> None:
        self.tx, self.portal, self.now = tx, portal, now
        self.ids: dict[str, dict[str, int]] = {section: {} for section in PARTS}
        self.keys: dict[str, dict[int, str]] = {section: {} for section in PARTS}

    def _name(self, section: str, rows: Iterable[tuple[int, str]]) -> None:
        """Gives each a key: its name, or with a number behind it when others before it are called so."""
        used: Counter[str] = Counter()
        for row_id, name in rows:
            key = name
            while key in self.ids[section]:
                used[name] += 1
                key = f"{name} #{used[name] + 1}"
            self.ids[section][key], self.keys[section][row_id] = row_id, key

    def _item(self, section: str, row_id: int, said: Mapping[str, Any], **beside: Any) -> Item:
        part = PARTS[section]
        archived = beside.pop("archived", False)
        return Item(self.keys[section][row_id], part.keyed(said, self.keys) | beside, archived)

    def kinds(self) -> Iterator[Item]:
        rows = kept.kinds(self.tx, self.portal.id)
        self._name("kinds", ((row.id, row.key) for row in rows))
        return (kind(kinds.data_of(row)) for row in rows)

    def tariffs(self) -> Iterator[Item]:
        rows = rules.tariffs(self.tx, self.portal.id)
        self._name("tariffs", ((row.id, row.name) for row in rows))
        return (self._item("tariffs", row.id, plain(Tariff.from_dict(row.body))) for row in rows)

    def policies(self) -> Iterator[Item]:
        rows = rules.policies(self.tx, self.portal.id)
        self._name("policies", ((row.id, row.name) for row in rows))
        return (self._item("policies", row.id, plain(read_policy(row)), is_default=row.is_default) for row in rows)

    def resources(self) -> Iterator[Item]:
        rows = configured.resources(self.tx, self.portal.id)
        self._name("resources", ((row.id, row.name) for row in rows))
        data = resources.data_of_all(self.tx, self.portal.id, rows)
        return (
            self._item("resources", row.id, plain(data[row.id]), sort=row.sort, archived=row.archived_at is not None)
            for row in rows
        )

    def closures(self) -> Iterator[Item]:
        rows = closures.every(self.tx, self.portal, Viewer(0, is_admin=True), self.now)
        found = [self._closure(data) for _row_id, data in rows]
        self._name("closures", ((row_id, item.key) for (row_id, _), item in zip(rows, found, strict=True)))
        return (replace(item, key=self.keys["closures"][row_id]) for (row_id, _), item in zip(rows, found, strict=True))

    def _closure(self, data: ClosureData) -> Item:
        resource = None if data.resource_id is None else self.keys["resources"][data.resource_id]
        return closure(data, resource=resource)

    def services(self) -> Iterator[Item]:
        rows = configured.services(self.tx, self.portal.id)
        self._name("services", ((row.id, row.name) for row in rows))
        needs = rules.needs(self.tx, self.portal.id, [row.id for row in rows])
        return (self._service(row, needs.get(row.id, ())) for row in rows)

    def _service(self, row: Service, needs: Sequence[Need]) -> Item:
        deal = None if row.deal is None else plain(DealPolicy.from_json(row.deal))
        said = plain(offered.data_of(row, needs))
        return self._item("services", row.id, said, deal=deal, archived=row.archived_at is not None)

    def scope(self, rule: GrantRule) -> str:
        """A scope as others can read it: of a resource its key."""
        number = rule.scope.removeprefix(RESOURCE_SCOPE)
        if number == rule.scope or not number.isdecimal():
            return rule.scope
        return RESOURCE_SCOPE + self.keys["resources"].get(int(number), number)

    def people(self, grants: Iterable[GrantRule], items: Iterable[Item]) -> dict[str, str]:
        """The names of everybody who is mentioned, as far as they are known here."""
        codes = {one.code for one in grants}
        for item in items:
            codes |= {f"{letter}{item.fields.get(name)}" for letter, name in NAMES_PEOPLE if item.fields.get(name)}
        users = [int(code[1:]) for code in codes if code.startswith("U") and code[1:].isdecimal()]
        known = dict(directory.known(self.tx, self.portal.id).names)
        known |= {f"U{one}": name for one, name in tenancy.user_names(self.tx, self.portal.id, users).items()}
        return {code: known[code] for code in sorted(codes & known.keys())}
