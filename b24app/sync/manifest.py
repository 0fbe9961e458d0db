"""app.manifest.json: the single declaration of scopes, placements, events and handler paths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Placement:
    """One place in the portal: its code, the path of our handler, the titles by language.

    In a code `{bookings}` and `{resources}` stand for the number that this portal gave to our smart process.
    """

    code: str
    handler: str
    title: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What we declare to a portal; paths are relative to the application's address.

    `optional_scopes` are asked for as well; without them rights of departments and groups are less exact.
    """

    title: Mapping[str, str]
    scopes: tuple[str, ...]
    optional_scopes: tuple[str, ...]
    main: str
    installer: str
    events_handler: str
    robots_handler: str
    placements: tuple[Placement, ...]
    events: tuple[str, ...]


@cache
def manifest() -> Manifest:
    """The declaration, read once."""
    data = json.loads((ROOT / "app.manifest.json").read_text(encoding="utf-8"))
    return Manifest(
        title=data["title"],
        scopes=tuple(data["scopes"]),
        optional_scopes=tuple(data["optional_scopes"]),
        main=data["handlers"]["main"],
        installer=data["handlers"]["installer"],
        events_handler=data["handlers"]["events"],
        robots_handler=data["handlers"]["robots"],
        placements=tuple(Placement(**one) for one in data["placements"]),
        events=tuple(data["events"]),
    )
