"""Whether this process is alive, and whether it can serve."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from b24app.ledger import schema
from b24app.web.visit import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> ResponseReturnValue:
    """200 as long as the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def ready() -> ResponseReturnValue:
    """200 when database, migrations and queue are there; otherwise 503 and which one is missing."""
    checks = schema.readiness(services().engine)
    return jsonify(checks), 200 if all(checks.values()) else 503
