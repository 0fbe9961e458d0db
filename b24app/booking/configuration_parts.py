"""What a configuration is made of: for each section the value that its use case takes, and how it refers to others.

Sections stand in the order in which they need each other. A field that somebody adds to one of these values is read,
written to the file, compared and made without a word here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from b24app.booking.closures import ClosureData
from b24app.booking.kinds import KindData
from b24app.booking.plain import at, made
from b24app.booking.policies import OF_THE_SERVICE
from b24app.booking.resources import ResourceData
from b24app.booking.services import ServiceData
from b24app.errors import InvalidInput
from b24app.ledger.portal_settings import DealPolicy
from b24app.scheduling.policy import Policy
from b24app.scheduling.pricing import Tariff

Ids = Mapping[str, Mapping[str, int]]  # section → key → id
Keys = Mapping[str, Mapping[int, str]]  # section → id → key


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of ids, `of` a section, which a configuration says by key under the name `said`."""

    field: str
    said: str
    of: str
    many: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One section. `kind`: what the log of changes calls one of it; `archives`: it is archived rather than removed.

    `named`: the field in a file that its key usually is. `hidden`: what the value has and a configuration has not, with
    what it has to be. `beside`: what a configuration says that is not in the value.
    """

    kind: str
    value: type
    named: str = "name"
    references: tuple[Reference, ...] = ()
    hidden: Mapping[str, Any] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    archives: bool = False

    def shown(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of an item: without ids and what is hidden."""
        ids = {one.field for one in self.references if one.field != one.said}
        return {name: value for name, value in said.items() if name not in ids and name not in self.hidden}

    def keyed(self, said: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
        """The fields of an item, of a plain value with ids."""
        found = dict(said)
        for one in self.references:
            found[one.said] = _each(one, said[one.field], lambda value, one=one: keys[one.of].get(value))
        if "requirements" in said:
            found["requirements"] = [
                need | {"options": [keys["resources"][one] for one in need["options"]]} for need in said["requirements"]
            ]
        return self.shown(found)

    def data(self, key: str, fields: Mapping[str, Any], ids: Ids, path: str) -> Any:
        """The value for the use case. Raises InvalidInput with codes at paths, for what it refers to as well."""
        said = {name: value for name, value in fields.items() if name not in self.beside} | dict(self.hidden)
        if "key" in self.hidden:
            said["key"] = key
        for one in self.references:
            value = _ids(one, said.pop(one.said, None), ids, at(path, one.said))
            if value is not None:
                said[one.field] = value
        if "requirements" in said:
            said["requirements"] = _needs(said["requirements"], ids, at(path, "requirements"))
        return made(self.value, said, path)

    def check(self, key: str, fields: Mapping[str, Any], path: str) -> None:
        """Raises InvalidInput for what could never be such a value, whatever there is to refer to."""
        self.data(key, fields, _ANYTHING, path)
        deal = fields.get("deal")
        if "deal" in self.beside and deal is not None:
            made(DealPolicy, deal, at(path, "deal"))
        if not isinstance(fields.get("is_default", False), bool):
            raise InvalidInput({at(path, "is_default"): "not_yes_or_no"})
        if not isinstance(fields.get("sort", 0), int):
            raise InvalidInput({at(path, "sort"): "not_a_number"})


def _each(reference: Reference, value: Any, how: Any) -> Any:
    if reference.many:
        return [how(one) for one in value or ()]
    return None if value is None else how(value)


def _ids(reference: Reference, value: Any, ids: Ids, path: str) -> Any:
    if reference.many and not isinstance(value, list | None):
        raise InvalidInput({path: "not_a_list"})
    return _each(reference, value, lambda key: _id(ids, reference.of, key, path))


def _id(ids: Ids, section: str, key: Any, path: str) -> int:
    if not isinstance(key, str):
        raise InvalidInput({path: "not_a_text"})
    if key not in ids[section]:
        raise InvalidInput({path: "unknown_reference"})
    return ids[section][key]


def _needs(value: Any, ids: Ids, path: str) -> Any:
    if not isinstance(value, list):
        raise InvalidInput({path: "not_a_list"})
    found = []
    for n, need in enumerate(value):
        here = f"{path}[{n}]"
        options = need.get("options", []) if isinstance(need, Mapping) else None
        if not isinstance(options, list):
            raise InvalidInput({here: "not_fitting"})
        found.append(need | {"options": [_id(ids, "resources", one, at(here, "options")) for one in options]})
    return found


class _Anything(Mapping[str, Any]):
    """Whatever is asked for is there: for looking at a value before anything is known of the portal."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def __getitem__(self, key: str) -> Any:
        return self.found

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


_ANYTHING = _Anything(_Anything(1))
_POLICY = Reference("policy_id", "policy", "policies")
_TARIFF = Reference("tariff_id", "tariff", "tariffs")

PARTS: Mapping[str, Part] = {
    "kinds": Part("kind", KindData, "one", hidden={"key": ""}),
    "tariffs": Part("tariff", Tariff),
    "policies": Part("policy", Policy, hidden=OF_THE_SERVICE, beside=("is_default",)),
    "resources": Part(
        "resource",
        ResourceData,
        references=(_POLICY, _TARIFF, Reference("parts", "parts", "resources", many=True)),
        beside=("sort",),
        archives=True,
    ),
    "closures": Part("closure", ClosureData, "day", references=(Reference("resource_id", "resource", "resources"),)),
    "services": Part("service", ServiceData, references=(_POLICY, _TARIFF), beside=("deal",), archives=True),
}
