"""What kinds of resources are called on the pages of this request's portal, and how they look."""

from __future__ import annotations

from flask import g

from b24app import texts
from b24app.booking.kinds import BUILT_IN
from b24app.ledger.kinds import OwnKind


def own() -> tuple[OwnKind, ...]:
    """The kinds that this company has named itself."""
    tenant = g.get("tenant")
    return tenant.kinds if tenant is not None else ()


def in_order() -> tuple[str, ...]:
    """All kinds in their order."""
    return (*BUILT_IN, *(kind.key for kind in own()))


def one(language: str, key: str) -> str:
    """What one of them is called."""
    found = _own(key)
    return found.one if found else _built_in(language, "kind", key)


def many(language: str, key: str) -> str:
    """What several of them are called: over a section of the board."""
    found = _own(key)
    return found.many if found else _built_in(language, "kinds", key)


def look(key: str) -> str:
    """The class of its picture."""
    found = _own(key)
    return f"own i-{found.icon}" if found else key


def _own(key: str) -> OwnKind | None:
    return None if key in BUILT_IN else next((kind for kind in own() if kind.key == key), None)


def _built_in(language: str, family: str, key: str) -> str:
    """A kind that was removed a moment ago has no words any more, and is called by its key."""
    return texts.say(language, f"{family}.{key}") if key in BUILT_IN else key.partition("-")[2]
