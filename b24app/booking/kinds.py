"""Kinds of resources: five that everybody has, and those that a company has named itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from b24app.booking import changes
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import kinds, rules, writes
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal
from b24app.ledger.place_models import ResourceKind
from b24app.ledger.session import Tx
from b24app.scheduling.allocation import OWN_PLACE, OWN_THING, seats_people

BUILT_IN = ("room", "hall", "equipment", "specialist", "vehicle")
ICONS = ("desk", "meeting", "layers", "screen", "camera", "light", "mic", "car", "person2", "phone")
MOST_KINDS = 30
LONGEST_NAME = 60
LONGEST_SLUG = 40
_OWN = re.compile(rf"(?:{OWN_PLACE}|{OWN_THING})[\w-]{{1,60}}")
_GAP = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class KindData:
    """What an administrator says of a kind: its name for one and for many, and an icon.

    Whether people sit in it, so that its capacity counts, is said once: the key tells it from then on. A configuration
    that is copied names the `key`; otherwise it is made of the name.
    """

    one: str
    many: str = ""
    icon: str = ICONS[0]
    for_people: bool = False
    key: str = ""


def is_kind(key: str) -> bool:
    """Whether it could be a kind: `save_resource` looks whether there is such a one."""
    return key in BUILT_IN or _OWN.fullmatch(key) is not None


def is_known(tx: Tx, portal: Portal, key: str) -> bool:
    """Whether there is such a kind in this portal; it stays until the transaction ends."""
    return key in BUILT_IN or kinds.hold(tx, portal.id, key)


def data_of(row: ResourceKind) -> KindData:
    """Everything about a kind as it is now."""
    return KindData(row.one, row.many, row.icon, seats_people(row.key), row.key)


def save_kind(
    tx: Tx,
    portal: Portal,
    data: KindData,
    *,
    viewer: Viewer,
    now: datetime,
    kind_id: int | None = None,
    revision: int | None = None,
) -> ResourceKind:
    """The kind, added or changed. Raises InvalidInput at the form's fields, NotAllowed, NotFound("kind"), Stale."""
    _allow(viewer)
    rules.lock_portal(tx, portal.id)
    known = kinds.kinds(tx, portal.id)
    row = _loaded(tx, portal, kind_id, revision)
    _check(data, [one for one in known if one.id != row.id])
    before = data_of(row) if kind_id is not None else None
    row.one, row.many, row.icon = data.one.strip(), data.many.strip() or data.one.strip(), data.icon
    if before is None:
        row.key = data.key or _key(row.one, data.for_people, {one.key for one in known})
        row.sort = max((one.sort for one in known), default=0) + 1
    tx.add(row)
    tx.flush()
    writes.board_changed(tx, portal.id)
    changes.record(tx, portal, viewer.actor, "kind", row.id, row.one, None, before, data_of(row), now)
    return row


def remove_kind(
    tx: Tx, portal: Portal, kind_id: int, *, viewer: Viewer, now: datetime, revision: int | None = None
) -> str:
    """Removes a kind that nothing is any more, returns its name.

    Raises InvalidInput while a resource, a service or a right names it; NotAllowed, NotFound, Stale.
    """
    _allow(viewer)
    rules.lock_portal(tx, portal.id)
    row = _loaded(tx, portal, kind_id, revision)
    if kinds.uses(tx, portal.id).get(row.key):
        raise InvalidInput({"kind": "still_given"})
    before = data_of(row)
    tx.delete(row)
    tx.flush()
    writes.board_changed(tx, portal.id)
    changes.record(tx, portal, viewer.actor, "kind", kind_id, before.one, None, before, None, now)
    return before.one


def _allow(viewer: Viewer) -> None:
    if not viewer.is_admin:
        raise NotAllowed("settings")


def _loaded(tx: Tx, portal: Portal, kind_id: int | None, revision: int | None) -> ResourceKind:
    if kind_id is None:
        return ResourceKind(portal_id=portal.id)
    row = kinds.kind(tx, portal.id, kind_id)
    if revision is not None and row.revision != revision:
        raise Stale(row.revision)
    row.revision += 1
    return row


def _check(data: KindData, others: list[ResourceKind]) -> None:
    taken = {one.one.casefold() for one in others}
    wrong = {
        "one": _wrong_name(data.one, taken) or ("too_many" if len(others) >= MOST_KINDS else None),
        "many": "too_many_characters" if len(data.many.strip()) > LONGEST_NAME else None,
        "icon": None if data.icon in ICONS else "unknown_choice",
        "key": _wrong_key(data.key, {one.key for one in others}),
    }
    if found := {field: code for field, code in wrong.items() if code}:
        raise InvalidInput(found)


def _wrong_name(name: str, taken: set[str]) -> str | None:
    if not name.strip():
        return "required"
    if len(name.strip()) > LONGEST_NAME:
        return "too_many_characters"
    return "duplicate" if name.strip().casefold() in taken else None


def _wrong_key(key: str, taken: set[str]) -> str | None:
    return "unknown_choice" if key and (not _OWN.fullmatch(key) or key in taken) else None


def _key(name: str, for_people: bool, taken: set[str]) -> str:
    """A key that can be read, such as "place-корт": it stands in addresses and in files of a configuration."""
    slug = _GAP.sub("-", name.casefold()).strip("-")[:LONGEST_SLUG].strip("-") or "1"
    first = (OWN_PLACE if for_people else OWN_THING) + slug
    return next(key for n in range(1, len(taken) + 2) if (key := first if n == 1 else f"{first}-{n}") not in taken)
