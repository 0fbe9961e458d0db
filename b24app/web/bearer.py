"""The signed bearer of a frame: who is looking, from which portal and card. No cookie, so no ambient authority.

It lives no longer than the portal's token that proved it. That moment stands inside and is compared with our own
clock, because the lifetime differs from frame to frame.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from b24app.ledger.access import Viewer
from b24app.web.visit import Visit

SALT = "visit"


class BadBearer(Exception):
    """Not signed by us, or not of a shape that we make."""


def issue(visit: Visit) -> str:
    """The bearer of this visit, for the page's <meta name="b24-bearer">."""
    return str(_serializer().dumps(packed(visit)))


def read(text: str) -> Visit:
    """The visit of a bearer, also of one that has run out; without grants. Raises BadBearer."""
    try:
        return unpacked(_serializer().loads(text))
    except (BadSignature, KeyError, TypeError, ValueError) as error:
        raise BadBearer from error


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=SALT)


def packed(visit: Visit) -> dict[str, Any]:
    """The visit as what is signed."""
    return {
        "p": visit.portal_id,
        "i": visit.installation_id,
        "m": visit.member_id,
        "u": visit.viewer.user_id,
        "a": int(visit.viewer.is_admin),
        "c": sorted(visit.viewer.codes),
        "n": visit.name,
        "l": visit.language,
        "z": visit.time_zone,
        "w": visit.place,
        "e": visit.entity_id,
        "x": int(visit.expires_at.timestamp()),
    }


def unpacked(data: dict[str, Any]) -> Visit:
    """The visit of what was signed, without grants."""
    return Visit(
        portal_id=data["p"],
        installation_id=data["i"],
        member_id=data["m"],
        viewer=Viewer(data["u"], bool(data["a"]), frozenset(data["c"])),
        name=data["n"],
        language=data["l"],
        time_zone=data["z"],
        place=data["w"],
        entity_id=data["e"],
        expires_at=datetime.fromtimestamp(data["x"], UTC),
    )
