"""Taking back what was changed in the settings: through the same use cases, and only what nobody has changed since."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from b24app.booking import access, closures, kinds, policies, portal_settings, resources, services, tariffs
from b24app.booking.closures import ClosureData
from b24app.booking.configuration_apply import hold_everything
from b24app.booking.kinds import KindData
from b24app.booking.plain import made, plain
from b24app.booking.portal_settings import Funnels
from b24app.booking.resources import ResourceData
from b24app.booking.services import ServiceData
from b24app.errors import InvalidInput, NotAllowed, NotFound
from b24app.ledger import changes, facilities, occupancy, rules
from b24app.ledger import kinds as kept
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Portal
from b24app.ledger.portal_models import SettingChange
from b24app.ledger.portal_settings import DealPolicy, PortalSettings
from b24app.ledger.session import Tx
from b24app.scheduling.policy import Policy
from b24app.scheduling.pricing import Tariff


def undo(
    tx: Tx, portal: Portal, which: int | uuid.UUID, *, viewer: Viewer, now: datetime, longest_hours: int,
    funnels: Funnels | None = None,
) -> list[SettingChange]:  # fmt: skip
    """What was taken back: one change, or everything of one batch, the last first.

    What had been added is archived or removed. Raises InvalidInput at `change` when somebody has changed the same since
    (changed_since), it was taken back already, cannot be or is gone; InvalidInput of the use cases when something
    stands in the way; NotAllowed and NotFound. Nothing of it may be kept then.
    """
    if not viewer.is_admin:
        raise NotAllowed("settings")
    portal = hold_everything(tx, portal)
    rows = [changes.one(tx, portal.id, which)] if isinstance(which, int) else changes.of_batch(tx, portal.id, which)
    open_rows = [row for row in rows if row.undone_at is None]
    if not open_rows:
        raise InvalidInput({"change": "undone_already"})
    undone = [row for row in open_rows if row.kind in UNDOABLE]
    if not undone:
        raise InvalidInput({"change": "not_undoable"})
    undoing = _Undoing(tx, portal, viewer, now, longest_hours, funnels or {})
    for row in undone:
        undoing.one(row)
    changes.mark_undone(tx, portal.id, [row.id for row in undone], now)
    return undone


def can_undo(row: SettingChange) -> bool:
    """Whether there is anything to take back about it; whether it works is known when it is tried."""
    return row.undone_at is None and row.kind in UNDOABLE


def _back(row: SettingChange, present: Any) -> Any:
    """The present value with what this change had changed as it was before; fields that others changed since stay."""
    before, after = row.before or {}, row.after or {}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if any(present.get(name) != after.get(name) for name in changed):
        raise InvalidInput({"change": "changed_since"})
    return {**present, **{name: before[name] for name in changed if name in before}}


def _same(row: SettingChange, present: Any) -> None:
    if present != row.after:
        raise InvalidInput({"change": "changed_since"})


@dataclass(frozen=True, slots=True)
class _Undoing:
    """One taking back, with what every use case asks for."""

    tx: Tx
    portal: Portal
    viewer: Viewer
    now: datetime
    longest_hours: int
    funnels: Funnels
    renewed: dict[int, int] = field(default_factory=dict)  # rules that came back have another id

    @property
    def _by(self) -> dict[str, Any]:
        return {"viewer": self.viewer, "now": self.now}

    def one(self, row: SettingChange) -> None:
        """Raises InvalidInput when it cannot be."""
        try:
            UNDOABLE[row.kind](self, row)
        except NotFound:
            raise InvalidInput({"change": "gone"}) from None

    def resource(self, row: SettingChange) -> None:
        resource = occupancy.lock(self.tx, self.portal.id, [_subject(row)])[_subject(row)]
        present = plain(resources.data_of(self.tx, resource))
        if row.action in ("archived", "restored"):
            self._archive(resources.archive_resource, resource, row)
        elif row.action == "added":
            self._save_resource(row, _without_rules(present))
            if resource.archived_at is None:
                resources.archive_resource(self.tx, self.portal, _subject(row), **self._by)
        else:
            self._save_resource(row, _back(row, present))

    def _save_resource(self, row: SettingChange, said: Mapping[str, Any]) -> None:
        data = made(ResourceData, said)
        longest = max(self.longest_hours, -(-data.max_minutes // 60))  # it has been allowed before
        resources.save_resource(
            self.tx, self.portal, data, **self._by, longest_hours=longest, resource_id=_subject(row)
        )

    def service(self, row: SettingChange) -> None:
        service = rules.service(self.tx, self.portal.id, _subject(row))
        needs = rules.needs(self.tx, self.portal.id, [service.id]).get(service.id, ())
        present = plain(services.data_of(service, needs))
        if row.action in ("archived", "restored"):
            self._archive(services.archive_service, service, row)
        elif row.action == "added":
            self._save_service(row, _without_rules(present))
            if service.archived_at is None:
                services.archive_service(self.tx, self.portal, service.id, **self._by)
        else:
            self._save_service(row, _back(row, present))

    def _save_service(self, row: SettingChange, said: Mapping[str, Any]) -> None:
        data = made(ServiceData, said)
        longest = max(self.longest_hours, -(-data.max_minutes // 60))
        services.save_service(self.tx, self.portal, data, **self._by, longest_hours=longest, service_id=_subject(row))

    def _archive(self, use_case: Callable[..., Any], present: Any, row: SettingChange) -> None:
        _same(row, {"archived": present.archived_at is not None})
        use_case(self.tx, self.portal, present.id, **self._by, archived=(row.before or {}).get("archived", False))

    def deal(self, row: SettingChange) -> None:
        service = rules.service(self.tx, self.portal.id, _subject(row))
        _same(row, service.deal)
        deal = None if row.before is None else DealPolicy.from_json(row.before)
        portal_settings.save_deal_policy(
            self.tx, self.portal, service.id, deal, **self._by, funnels=_kept(self.funnels, deal)
        )

    def policy(self, row: SettingChange) -> None:
        if row.action == "added":
            policies.remove_policy(self.tx, self.portal, _subject(row), **self._by)
            return
        present = None
        if row.action == "changed":
            present = rules.policy(self.tx, self.portal.id, _subject(row))
        said = row.before if present is None else _back(row, {**present.rules, "name": present.name})
        data = made(Policy, {**(said or {}), **policies.OF_THE_SERVICE})
        saved = policies.save_policy(
            self.tx, self.portal, data, **self._by, policy_id=_id(present),
            is_default=None if present else False,
        )  # fmt: skip
        self.renewed[_subject(row)] = saved.id

    def default(self, row: SettingChange) -> None:
        present = next((one.id for one in rules.policies(self.tx, self.portal.id) if one.is_default), None)
        _same(row, {"policy_id": present})
        before = (row.before or {}).get("policy_id")
        again = None if before is None else self.renewed.get(before, before)
        policies.make_default(self.tx, self.portal, again, **self._by)

    def tariff(self, row: SettingChange) -> None:
        if row.action == "added":
            tariffs.remove_tariff(self.tx, self.portal, _subject(row), **self._by)
            return
        present = rules.tariff(self.tx, self.portal.id, _subject(row)) if row.action == "changed" else None
        said = row.before if present is None else _back(row, present.body)
        data = Tariff.from_dict(said or {})
        tariffs.save_tariff(self.tx, self.portal, data, **self._by, tariff_id=_id(present))

    def closure(self, row: SettingChange) -> None:
        if row.action == "added":
            closures.remove_closure(self.tx, self.portal, _subject(row), **self._by)
            return
        present = facilities.closure(self.tx, self.portal.id, _subject(row)) if row.action == "changed" else None
        said = row.before
        if present is not None:
            said = _back(row, plain(closures.data_of(self.tx, self.portal, present, self.viewer)))
        data = made(ClosureData, said)
        closures.save_closure(self.tx, self.portal, data, **self._by, closure_id=_id(present))

    def kind(self, row: SettingChange) -> None:
        if row.action == "added":
            kinds.remove_kind(self.tx, self.portal, _subject(row), **self._by)
            return
        present = kept.kind(self.tx, self.portal.id, _subject(row)) if row.action == "changed" else None
        said = row.before if present is None else _back(row, plain(kinds.data_of(present)))
        kinds.save_kind(self.tx, self.portal, made(KindData, said), **self._by, kind_id=_id(present))

    def currency(self, row: SettingChange) -> None:
        _same(row, self.portal.currency)
        tariffs.save_currency(self.tx, self.portal, str(row.before), **self._by)

    def access(self, row: SettingChange) -> None:
        _same(row, plain(rules.all_grants(self.tx, self.portal.id)))
        grants = [made(GrantRule, one) for one in row.before or ()]
        access.save_access(self.tx, self.portal, grants, **self._by)

    def settings(self, row: SettingChange) -> None:
        said = _back(row, plain(PortalSettings.from_json(self.portal.settings)))
        settings = made(PortalSettings, said)
        portal_settings.save_settings(
            self.tx, self.portal, settings, **self._by, funnels=_kept(self.funnels, settings.deal)
        )


def _subject(row: SettingChange) -> int:
    if row.subject_id is None:
        raise NotFound(row.kind)
    return row.subject_id


class _Row(Protocol):
    @property
    def id(self) -> Any: ...


def _id(row: _Row | None) -> int | None:
    return None if row is None else row.id


def _without_rules(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is archived because it should never have been there holds no rules or prices that came with it."""
    return {**said, "policy_id": None, "tariff_id": None}


def _kept(funnels: Funnels, deal: DealPolicy | None) -> Funnels:
    """With the funnel and stages of this deal: they were allowed when it was set."""
    if deal is None:
        return funnels
    known: dict[int, Sequence[str]] = {one: list(stages) for one, stages in funnels.items()}
    known[deal.category_id] = [*known.get(deal.category_id, ()), *deal.stages.values()]
    return known


UNDOABLE: Mapping[str, Callable[[_Undoing, SettingChange], None]] = {
    name: getattr(_Undoing, name)
    for name in (
        "resource", "service", "deal", "policy", "default", "tariff", "closure", "kind", "currency", "access",
        "settings",
    )
}  # fmt: skip
