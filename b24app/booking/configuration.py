"""Everything that is set up in a portal, as one value that can be compared, written to a file and made somewhere else.

What is set refers to what it needs by *key*, which is a name, and never by an id: in another portal the same thing has
another id. `configuration_read` makes the value of a portal, `configuration_apply` makes a portal like the value; this
module only computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from b24app.booking.closures import ClosureData
from b24app.booking.configuration_parts import PARTS, Part
from b24app.booking.kinds import KindData
from b24app.booking.plain import at, made, plain
from b24app.booking.resources import ResourceData
from b24app.booking.services import ServiceData
from b24app.errors import InvalidInput
from b24app.ledger.access import GrantRule
from b24app.ledger.portal_settings import DealPolicy, PortalSettings
from b24app.scheduling.policy import Policy
from b24app.scheduling.pricing import Tariff

FORMAT, VERSION = "b24-booking-configuration", 1
MOST_ITEMS = 20_000


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is set up: `fields` as JSON has them.

    `key` is what others refer to it by: its name, with "#2" and so on behind it when several are called so.
    Fields that are not said are left as they are, and are as usual in what is added.
    """

    key: str
    fields: Mapping[str, Any]
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is set up in a portal. None: not said, so it stays as it is.

    `portal` is where it was read; `people` the names of those whom it mentions, by access code (U5, D3, SG7): another
    portal's U5 is somebody else.
    """

    currency: str | None = None
    settings: Mapping[str, Any] | None = None
    kinds: tuple[Item, ...] = ()
    tariffs: tuple[Item, ...] = ()
    policies: tuple[Item, ...] = ()
    resources: tuple[Item, ...] = ()
    closures: tuple[Item, ...] = ()
    services: tuple[Item, ...] = ()
    access: tuple[Mapping[str, str], ...] | None = None
    people: Mapping[str, str] = field(default_factory=dict)
    portal: str = ""

    def items(self, section: str) -> tuple[Item, ...]:
        """All of one section, in their order."""
        found: tuple[Item, ...] = getattr(self, section)
        return found


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, and what it was and will be, as JSON has it."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that will be made otherwise: added, changed, archived, restored or removed.

    `kind` as in the log of changes: resource, service, policy, tariff, closure, kind, access, settings, currency.
    """

    kind: str
    name: str
    action: str
    fields: tuple[FieldChange, ...] = ()


# Making items ----


def kind(value: KindData) -> Item:
    """The kind as an item; what refers to it names its key."""
    return Item(value.key, PARTS["kinds"].shown(plain(value)))


def tariff(value: Tariff, key: str = "") -> Item:
    """The tariff as an item."""
    return Item(key or value.name, plain(value))


def policy(value: Policy, *, is_default: bool = False, key: str = "") -> Item:
    """The rules as an item; with `is_default` they count for whatever has none of its own."""
    own = {name: one for name, one in plain(value).items() if name not in PARTS["policies"].hidden}
    return Item(key or value.name, {**own, "is_default": is_default})


def resource(
    data: ResourceData, *, key: str = "", policy: str | None = None, tariff: str | None = None,
    parts: Sequence[str] = (), sort: int = 0, archived: bool = False,
) -> Item:  # fmt: skip
    """The resource as an item: rules, tariff and parts by key, whatever ids `data` has."""
    said = plain(data) | {"policy": policy, "tariff": tariff, "parts": list(parts), "sort": sort}
    return Item(key or data.name, PARTS["resources"].shown(said), archived)


def service(
    data: ServiceData, *, key: str = "", policy: str | None = None, tariff: str | None = None,
    requirements: Sequence[tuple[str | Sequence[str], int]] = (), deal: DealPolicy | None = None,
    archived: bool = False,
) -> Item:  # fmt: skip
    """The service as an item. Each requirement is a kind or the keys of resources, and how many of them."""
    needs = [
        {
            "kind": what if isinstance(what, str) else None,
            "options": [] if isinstance(what, str) else list(what),
            "quantity": n,
        }
        for what, n in requirements
    ]
    said = plain(data) | {"policy": policy, "tariff": tariff, "requirements": needs, "deal": plain(deal)}
    return Item(key or data.name, PARTS["services"].shown(said), archived)


def settings(value: PortalSettings) -> Mapping[str, Any]:
    """The portal's settings as the configuration has them."""
    found: Mapping[str, Any] = plain(value)
    return found


def closure(data: ClosureData, *, resource: str | None = None) -> Item:
    """The closure as an item. It has no name, so that its key says everything about it but the reason."""
    said = PARTS["closures"].shown(plain(data) | {"resource": resource})
    return Item(" ".join(str(value) for name, value in said.items() if name != "reason" and value is not None), said)


def grant(scope: str, code: str, right: str) -> Mapping[str, str]:
    """A right as the configuration has it; of a resource the scope is `resource:` and its key."""
    return {"scope": scope, "code": code, "right": right}


# As a file ----


def to_json(configuration: Configuration) -> dict[str, Any]:
    """The value for a file."""
    head = {"format": FORMAT, "version": VERSION, "portal": configuration.portal, "people": dict(configuration.people)}
    said: dict[str, Any] = {"currency": configuration.currency, "settings": configuration.settings}
    for section in PARTS:
        said[section] = [_written(one) for one in configuration.items(section)]
    said["access"] = None if configuration.access is None else [dict(one) for one in configuration.access]
    return head | {name: value for name, value in said.items() if value is not None}


def _written(item: Item) -> dict[str, Any]:
    key = {} if item.key == item.fields.get("name") else {"key": item.key}
    return key | dict(item.fields) | ({"archived": True} if item.archived else {})


def from_json(value: Any) -> Configuration:
    """The configuration of a file. Raises InvalidInput with a code at each path: `resources[3].hours[0].opens`."""
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise InvalidInput({"file": "not_a_configuration"})
    if value.get("version") != VERSION:
        raise InvalidInput({"version": "unknown_version"})
    known = {"format", "version", "portal", "people", "currency", "settings", "access", *PARTS}
    wrong = {str(name): "unknown_field" for name in value.keys() - known}
    wrong |= {name: "too_many" for name in PARTS if len(_list(value, name)) > MOST_ITEMS}
    sections: dict[str, Any] = {}
    for name in ("portal", "people", "currency", "settings", "access", *PARTS):
        try:
            sections[name] = _read(value, name)
        except InvalidInput as refused:
            wrong |= refused.fields
    if wrong:
        raise InvalidInput(wrong)
    return Configuration(**sections)


def _read(value: Mapping[str, Any], name: str) -> Any:
    said = value.get(name)
    if name in PARTS:
        return _section(PARTS[name], name, _list(value, name))
    if name in ("currency", "portal"):
        return ("" if name == "portal" else None) if said is None else _text(said, name)
    if said is None:
        return {} if name == "people" else None
    return {"people": _people, "settings": _settings, "access": _access}[name](said)


def _list(value: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = value.get(name, [])
    if not isinstance(found, list):
        raise InvalidInput({name: "not_a_list"})
    return found


def _section(part: Part, name: str, rows: Sequence[Any]) -> tuple[Item, ...]:
    wrong: dict[str, str] = {}
    found: dict[str, Item] = {}
    for n, row in enumerate(rows):
        try:
            item = _item(part, row, f"{name}[{n}]")
            if item.key in found:
                raise InvalidInput({f"{name}[{n}].key": "duplicate"})
            found[item.key] = item
        except InvalidInput as refused:
            wrong |= refused.fields
    if wrong:
        raise InvalidInput(wrong)
    return tuple(found.values())


def _item(part: Part, row: Any, path: str) -> Item:
    if not isinstance(row, Mapping):
        raise InvalidInput({path: "not_a_group"})
    fields = {str(name): value for name, value in row.items() if name not in ("key", "archived")}
    key, archived = row.get("key", fields.get(part.named, "")), row.get("archived", False)
    if not isinstance(key, str) or not key:
        raise InvalidInput({at(path, part.named): "required"})
    if not isinstance(archived, bool):
        raise InvalidInput({at(path, "archived"): "not_yes_or_no"})
    part.check(key, fields, path)
    return Item(key, fields, archived)


def _settings(value: Any) -> Mapping[str, Any]:
    return settings(made(PortalSettings, value, "settings"))


def _access(value: Any) -> tuple[Mapping[str, str], ...]:
    rows = _list({"access": value}, "access")
    return tuple(plain(made(GrantRule, row, f"access[{n}]")) for n, row in enumerate(rows))


def _people(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise InvalidInput({"people": "not_a_group"})
    return {str(key): _text(one, at("people", str(key))) for key, one in value.items()}


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput({path: "not_a_text"})
    return value


# What would be made otherwise ----


def plan(present: Configuration, wanted: Configuration, *, complete: bool = False) -> tuple[Step, ...]:
    """What has to be done to `present` to have what `wanted` says, in words of fields; nothing: it has.

    `complete`: what `wanted` does not name goes, too.
    """
    return tuple(_steps(present, wanted, complete))


def _steps(present: Configuration, wanted: Configuration, complete: bool) -> Iterator[Step]:
    if wanted.currency not in (None, present.currency):
        yield Step(
            "currency", wanted.currency, "changed", (FieldChange("currency", present.currency, wanted.currency),)
        )
    for section, part in PARTS.items():
        yield from _of_section(part, present.items(section), wanted.items(section), complete)
    if wanted.access is not None and list(map(dict, wanted.access)) != list(map(dict, present.access or ())):
        yield Step("access", "", "changed", (FieldChange("access", present.access, wanted.access),))
    if wanted.settings is not None:
        said = {**(present.settings or {}), **wanted.settings}
        if changed := _differences(present.settings or {}, said):
            yield Step("settings", "", "changed", changed)


def _of_section(part: Part, present: Sequence[Item], wanted: Sequence[Item], complete: bool) -> Iterator[Step]:
    known = {one.key: one for one in present}
    for item in wanted:
        yield from _of_item(part, known.get(item.key), item)
    if complete:
        for key in known.keys() - {one.key for one in wanted}:
            if not known[key].archived:
                yield Step(part.kind, name_of(part, known[key]), "archived" if part.archives else "removed")


def _of_item(part: Part, known: Item | None, item: Item) -> Iterator[Step]:
    if known is None:
        said = tuple(FieldChange(name, None, value) for name, value in item.fields.items())
        yield Step(part.kind, name_of(part, item), "added", said)
    elif changed := _differences(known.fields, {**known.fields, **item.fields}):
        yield Step(part.kind, name_of(part, item), "changed", changed)
    if item.archived != (known is not None and known.archived):
        yield Step(part.kind, name_of(part, item), "archived" if item.archived else "restored")


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(name, before.get(name), value) for name, value in after.items() if before.get(name) != value
    )


def name_of(part: Part, item: Item) -> str:
    """What a person calls it; two of one name are told apart by their keys."""
    if part.kind == "closure":
        return str(item.fields.get("reason") or item.fields.get("day", ""))
    return str(item.fields.get("one", item.key)) if part.kind == "kind" else item.key


def merged(known: Item | None, item: Item) -> Item:
    """The item with whatever it does not say as it is now."""
    return item if known is None else replace(item, fields={**known.fields, **item.fields})
