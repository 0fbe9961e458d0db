"""The photo of a resource, for whoever knows its address: an <img> carries no bearer."""

from __future__ import annotations

from flask import Blueprint, abort
from flask.typing import ResponseReturnValue

from b24app.ledger import photos
from b24app.ledger.session import transaction
from b24app.web.visit import services

blueprint = Blueprint("photo", __name__)

LONGEST_SECRET = 100
A_YEAR = 365 * 24 * 3600


@blueprint.get("/photo/<secret>")
def show(secret: str) -> ResponseReturnValue:
    """The photo at this address: it changes with the photo, so browsers keep it for good."""
    with transaction(services().engine) as tx:
        found = photos.by_secret(tx, secret) if len(secret) <= LONGEST_SECRET else None
    if found is None:
        abort(404)
    mimetype, body = found
    return body, {
        "Content-Type": mimetype,
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": f"private, max-age={A_YEAR}, immutable",
    }
