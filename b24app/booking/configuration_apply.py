"""Makes a portal like a configuration, through the use cases that everybody else goes through, or not at all."""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from b24app.booking import access, closures, kinds, policies, portal_settings, resources, tariffs
from b24app.booking import services as offered
from b24app.booking.configuration import Configuration, Item, Step, merged, plan
from b24app.booking.configuration_parts import PARTS
from b24app.booking.configuration_read import NAMES_PEOPLE, RESOURCE_SCOPE, read_known
from b24app.booking.plain import made
from b24app.booking.portal_settings import Funnels
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import changes, configured, occupancy, refs, rules
from b24app.ledger.access import EMPLOYEES, GrantRule, Viewer
from b24app.ledger.models import Portal
from b24app.ledger.portal_settings import DealPolicy, PortalSettings
from b24app.ledger.session import Tx

_GRANT = re.compile(r"^grants-(\d+)-")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Somebody or something of the other portal that is not to be found here. `code` U5, D3, SG7, or a deal funnel's.

    `where`: the path of what would have named it; `name`: what it is called over there.
    """

    where: str
    code: str
    name: str = ""


def revision_of(configuration: Configuration) -> int:
    """A number that changes with anything that is set up: what was shown before it is made must still be true then."""
    return zlib.crc32(repr(configuration).encode())


def localized(
    tx: Tx, portal: Portal, wanted: Configuration, *, funnels: Funnels | None = None
) -> tuple[Configuration, tuple[LeftOut, ...]]:
    """The configuration with the people of this portal, and whom and what it lacks: those are left out.

    People are found by their names, if only one is called so; departments, groups and calendars of another portal are
    not known here. `funnels`: this portal's; without them deals stay as they are.
    """
    lacking = _Lacking(tx, portal, wanted, funnels)
    services = tuple(
        replace(one, fields=lacking.deal_of(f"services[{n}]", one.fields, one.key))
        for n, one in enumerate(wanted.services)
    )
    settings = None if wanted.settings is None else lacking.deal_of("settings", wanted.settings)
    if wanted.portal in ("", portal.member_id):
        return replace(wanted, services=services, settings=settings), tuple(lacking.found)
    return (
        replace(
            wanted,
            resources=tuple(lacking.resource(n, one) for n, one in enumerate(wanted.resources)),
            services=services,
            access=None if wanted.access is None else tuple(lacking.access(wanted.access)),
            settings=settings,
        ),
        tuple(lacking.found),
    )


class _Lacking:
    """What was left out so far."""

    def __init__(self, tx: Tx, portal: Portal, wanted: Configuration, funnels: Funnels | None) -> None:
        self.found: list[LeftOut] = []
        self.names, self.funnels = wanted.people, funnels
        self.people = configured.people_called(tx, portal.id, set(wanted.people.values()))
        self.deals = {
            one.name: DealPolicy.from_json(one.deal) for one in configured.services(tx, portal.id) if one.deal
        }
        self.deals[""] = PortalSettings.from_json(portal.settings).deal

    def _here(self, code: str) -> int | None:
        """The id of the one who is called as this user is called over there."""
        ids = self.people.get(self.names.get(code, ""), []) if code.startswith("U") else []
        return ids[0] if len(ids) == 1 else None

    def resource(self, n: int, item: Item) -> Item:
        fields = dict(item.fields)
        for letter, name in NAMES_PEOPLE:
            if fields.get(name) is not None:
                code = f"{letter}{fields[name]}"
                fields[name] = self._here(code)
                if fields[name] is None:
                    self.found.append(LeftOut(f"resources[{n}].{name}", code, self.names.get(code, "")))
        # A section's number means another calendar here, or none.
        if item.fields.get("calendar_section") is not None:
            fields |= {"calendar_mode": "default", "calendar_owner": None, "calendar_section": None}
            if item.fields.get("calendar_mode") == "company":
                self.found.append(LeftOut(f"resources[{n}].calendar_section", str(item.fields["calendar_section"])))
        return replace(item, fields=fields)

    def access(self, grants: Sequence[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
        for n, one in enumerate(grants):
            code = one.get("code", "")
            user = self._here(code)
            if code == EMPLOYEES or user is not None:
                yield one if user is None else {**one, "code": f"U{user}"}
            else:
                self.found.append(LeftOut(f"access[{n}]", code, self.names.get(code, "")))

    def deal_of(self, path: str, fields: Mapping[str, Any], service: str = "") -> Mapping[str, Any]:
        """The fields without a deal whose funnel or stages are not here: then it stays as it is."""
        deal = None if fields.get("deal") is None else DealPolicy.from_json(fields["deal"])
        if deal is None or deal == self.deals.get(service) or self._has_funnel(deal):
            return fields
        self.found.append(LeftOut(f"{path}.deal", str(fields["deal"].get("category_id", ""))))
        return {name: value for name, value in fields.items() if name != "deal"}

    def _has_funnel(self, deal: DealPolicy) -> bool:
        stages = {stage for known in (self.funnels or {}).values() for stage in known}
        funnel = deal.mode != "create" or deal.category_id in (self.funnels or {})
        return funnel and stages.issuperset(deal.stages.values())


def apply(
    tx: Tx, portal: Portal, wanted: Configuration, *, viewer: Viewer, now: datetime, longest_hours: int,
    batch: uuid.UUID | None = None, complete: bool = False, funnels: Funnels | None = None, revision: int | None = None,
) -> tuple[Step, ...]:  # fmt: skip
    """What was made otherwise, in the order of `plan`; what `wanted` does not name stays, unless it is `complete`.

    Raises InvalidInput with the path of what cannot be (`resources[3].hours`), NotAllowed, and Stale when `revision`
    is no longer that of what is set up: nothing of it may be kept then.
    """
    if not viewer.is_admin:
        raise NotAllowed("settings")
    if batch is not None:
        tx.info[changes.BATCH] = batch
    portal = hold_everything(tx, portal)
    known = read_known(tx, portal, now)
    if revision is not None and revision != revision_of(known.configuration):
        raise Stale(revision_of(known.configuration))
    steps = plan(known.configuration, wanted, complete=complete)
    if steps:
        making = _Making(tx, portal, known.configuration, wanted, known.ids, viewer, now, longest_hours, funnels or {})
        making.all()
        if complete:
            making.remove_the_rest()
    return steps


def hold_everything(tx: Tx, portal: Portal) -> Portal:
    """The portal as it is now. Locks what any of the steps will need, in the order that everybody keeps: each use case
    by itself would take the portal's row before the next one takes its resources."""
    occupancy.lock(tx, portal.id, {one.id for one in configured.resources(tx, portal.id)})
    refs.hold(tx, portal.id)
    return rules.lock_portal(tx, portal.id)


@contextmanager
def _at(section: str, n: int) -> Iterator[None]:
    """Names where in the configuration it was that something was refused."""
    try:
        yield
    except InvalidInput as refused:
        path = f"{section}[{n}]"
        raise InvalidInput(
            {field if field.startswith(path) else f"{path}.{field}": code for field, code in refused.fields.items()}
        ) from None


@dataclass(frozen=True)
class _Making:
    """One run. `ids` grows with what is added."""

    tx: Tx
    portal: Portal
    present: Configuration
    wanted: Configuration
    ids: dict[str, dict[str, int]]
    viewer: Viewer
    now: datetime
    longest_hours: int
    funnels: Funnels

    @cached_property
    def known(self) -> dict[tuple[str, str], Item]:
        """What is there already, by section and key."""
        return {(section, one.key): one for section in PARTS for one in self.present.items(section)}

    def all(self) -> None:
        """Whatever differs, in the order in which one needs the other."""
        if self.wanted.currency not in (None, self.present.currency):
            tariffs.save_currency(self.tx, self.portal, self.wanted.currency or "", viewer=self.viewer, now=self.now)
        for section in PARTS:
            for n, item in self._in_order(section):
                with _at(section, n):
                    self._make(section, n, item)
        if self.wanted.access is not None:
            self._access(self.wanted.access)
        if self.wanted.settings is not None:
            self._settings(self.wanted.settings)

    def _in_order(self, section: str) -> Iterator[tuple[int, Item]]:
        """Parts before what is made of them; what is made of itself is refused."""
        waiting = list(enumerate(self.wanted.items(section)))
        while waiting:
            unmade = {item.key for _n, item in waiting}
            later = [one for one in waiting if unmade.intersection(one[1].fields.get("parts") or ())]
            if len(later) == len(waiting):
                raise InvalidInput({f"{section}[{waiting[0][0]}].parts": "part_of_itself"})
            put_off = {n for n, _item in later}
            yield from (one for one in waiting if one[0] not in put_off)
            waiting = later

    def _make(self, section: str, n: int, item: Item) -> None:
        known = self.known.get((section, item.key))
        whole = merged(known, item)
        if known is None or known.fields != whole.fields:
            data = PARTS[section].data(whole.key, whole.fields, self.ids, f"{section}[{n}]")
            row_id = getattr(self, f"_save_{PARTS[section].kind}")(self.ids[section].get(item.key), data, whole.fields)
            self.ids[section][item.key] = row_id
        if PARTS[section].archives and item.archived != (known is not None and known.archived):
            self._archive(section, item.key, item.archived)

    def _save_kind(self, row_id: int | None, data: Any, fields: Mapping[str, Any]) -> int:
        return kinds.save_kind(self.tx, self.portal, data, viewer=self.viewer, now=self.now, kind_id=row_id).id

    def _save_tariff(self, row_id: int | None, data: Any, fields: Mapping[str, Any]) -> int:
        return tariffs.save_tariff(self.tx, self.portal, data, viewer=self.viewer, now=self.now, tariff_id=row_id).id

    def _save_policy(self, row_id: int | None, data: Any, fields: Mapping[str, Any]) -> int:
        default = fields.get("is_default")
        return policies.save_policy(
            self.tx, self.portal, data, viewer=self.viewer, now=self.now, policy_id=row_id, is_default=default
        ).id

    def _save_resource(self, row_id: int | None, data: Any, fields: Mapping[str, Any]) -> int:
        return resources.save_resource(
            self.tx, self.portal, data, viewer=self.viewer, now=self.now, longest_hours=self.longest_hours,
            resource_id=row_id, sort=fields.get("sort"),
        ).id  # fmt: skip

    def _save_closure(self, row_id: int | None, data: Any, fields: Mapping[str, Any]) -> int:
        return closures.save_closure(self.tx, self.portal, data, viewer=self.viewer, now=self.now, closure_id=row_id).id

    def _save_service(self, row_id: int | None, data: Any, fields: Mapping[str, Any]) -> int:
        service = offered.save_service(
            self.tx, self.portal, data, viewer=self.viewer, now=self.now, longest_hours=self.longest_hours,
            service_id=row_id,
        )  # fmt: skip
        if "deal" in fields:
            deal = None if fields["deal"] is None else DealPolicy.from_json(fields["deal"])
            portal_settings.save_deal_policy(
                self.tx, self.portal, service.id, deal, funnels=self.funnels, viewer=self.viewer, now=self.now
            )
        return service.id

    def _archive(self, section: str, key: str, archived: bool) -> None:
        use_case: Any = resources.archive_resource if section == "resources" else offered.archive_service
        row_id = self.ids[section][key]
        use_case(self.tx, self.portal, row_id, viewer=self.viewer, now=self.now, archived=archived)

    def _access(self, grants: Sequence[Mapping[str, str]]) -> None:
        for n, one in enumerate(grants):
            key = one["scope"].removeprefix(RESOURCE_SCOPE)
            if key != one["scope"] and key not in self.ids["resources"]:
                raise InvalidInput({f"access[{n}].scope": "unknown_reference"})
        rows = [GrantRule(self._scope(one["scope"]), one["code"], one["right"]) for one in grants]
        if rows != rules.all_grants(self.tx, self.portal.id):
            try:
                access.save_access(self.tx, self.portal, rows, viewer=self.viewer, now=self.now)
            except InvalidInput as refused:
                raise InvalidInput(
                    {_GRANT.sub(r"access[\1].", one): code for one, code in refused.fields.items()}
                ) from None

    def _scope(self, said: str) -> str:
        key = said.removeprefix(RESOURCE_SCOPE)
        return said if key == said else f"{RESOURCE_SCOPE}{self.ids['resources'][key]}"

    def _settings(self, said: Mapping[str, Any]) -> None:
        wanted = made(PortalSettings, {**(self.present.settings or {}), **said}, "settings")
        if wanted != PortalSettings.from_json(self.portal.settings):
            portal_settings.save_settings(
                self.tx, self.portal, wanted, funnels=self.funnels, viewer=self.viewer, now=self.now
            )

    def remove_the_rest(self) -> None:
        """What `wanted` does not name: what needs others goes before them, wholes before their parts."""
        for section in reversed(list(PARTS)):
            named = {one.key for one in self.wanted.items(section)}
            rest = [one for one in self.present.items(section) if one.key not in named and not one.archived]
            for item in _wholes_first(rest):
                self._remove(section, item.key)

    def _remove(self, section: str, key: str) -> None:
        if PARTS[section].archives:
            self._archive(section, key, True)
            return
        use_case: Any = {
            "kinds": kinds.remove_kind, "tariffs": tariffs.remove_tariff, "policies": policies.remove_policy,
            "closures": closures.remove_closure,
        }[section]  # fmt: skip
        use_case(self.tx, self.portal, self.ids[section][key], viewer=self.viewer, now=self.now)


def _wholes_first(items: Sequence[Item]) -> list[Item]:
    """An item comes before everything that it is made of."""
    parts = {one.key: set(one.fields.get("parts") or ()) for one in items}
    found: list[Item] = []
    waiting = list(items)
    while waiting:
        below = set().union(*(parts[one.key] for one in waiting))
        ready = [one for one in waiting if one.key not in below]
        found += ready
        waiting = [one for one in waiting if one.key in below]
    return found
