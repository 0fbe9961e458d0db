"""Control of the emulator itself, for tests and the page of knobs; the platform has nothing like it.

``/_knobs`` (GET, POST), ``/_knobs/faults`` (GET, POST, DELETE), ``/_knobs/release``, ``/_knobs/expire``,
``/_knobs/seed``, ``/_knobs/portal``, ``/_state/<part>`` (GET), ``/_state/reset``, ``/_state/deliver``, ``/_state/hold``
and ``/_state/release_events`` (POST). All speak JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from emulator import delivery, event, faults, oauth, portals
from emulator.call import truth
from emulator.state import Portal, World
from emulator.storage import dump

blueprint = Blueprint("control", __name__)


def _world() -> World:
    return current_app.emulator.world  # type: ignore[attr-defined, no-any-return]


def _portal() -> Portal:
    """The portal addressed by host, or the first one: control works under any host."""
    return _world().portal_by_host(request.host) or _world().portal


def _given() -> dict[str, Any]:
    return request.get_json(silent=True) or request.form.to_dict()


def _refused(text: str) -> tuple[Response, int]:
    return jsonify({"error": text}), 400


@blueprint.get("/_knobs")
def knobs() -> Any:
    return jsonify(asdict(_world().knobs))


@blueprint.post("/_knobs")
def turn() -> Any:
    """Set the named knobs and answer them all."""
    world = _world()
    try:
        with world.lock:
            world.knobs.change(_given())
    except (KeyError, ValueError, TypeError) as error:
        return _refused(f"{type(error).__name__}: {error}")
    world.touch()
    return jsonify(asdict(world.knobs))


@blueprint.get("/_knobs/faults")
def list_faults() -> Any:
    return jsonify(dump(_world().faults))


@blueprint.post("/_knobs/faults")
def add_fault() -> Any:
    try:
        return jsonify(dump(faults.add(_world(), _given()))), 201
    except ValueError as error:
        return _refused(f"unknown fault: {error}")


@blueprint.delete("/_knobs/faults")
def clear_faults() -> Any:
    """Forget all faults, or those of the method in ``?method=``."""
    world, name = _world(), request.args.get("method", "")
    with world.lock:
        world.faults[:] = [fault for fault in world.faults if name and fault.method != name.lower()]
    world.touch()
    return jsonify([])


@blueprint.post("/_knobs/release")
def release() -> Any:
    """Let every withheld answer go."""
    return jsonify({"released": faults.release(_world())})


@blueprint.post("/_knobs/expire")
def expire() -> Any:
    """Make all access tokens of the portal (or of ``user_id``) expired."""
    user_id = _given().get("user_id")
    with _world().lock:
        return jsonify({"expired": oauth.expire_tokens(_portal(), int(user_id) if user_id else None)})


@blueprint.post("/_knobs/seed")
def seed() -> Any:
    """Let everything random replay from ``seed`` on."""
    _world().seed(int(_given().get("seed", 0)))
    return jsonify({"seeded": True})


@blueprint.post("/_knobs/portal")
def change_portal() -> Any:
    """Change the addressed portal: ``silent`` (never answers), ``host`` (renamed: 302 from the old name)."""
    portal, given = _portal(), _given()
    if "silent" in given:
        (portals.fall_silent if truth(given["silent"]) else portals.speak)(portal)
    if given.get("host"):
        portal.rename(str(given["host"]))
    return jsonify({"host": portal.host, "silent": portal.silent})


@blueprint.post("/_state/deliver")
def deliver() -> Any:
    """Send all waiting events now."""
    return jsonify({"delivered": event.deliver_due(_world(), everything=True)})


@blueprint.post("/_state/hold")
def hold() -> Any:
    """Keep events named by ``event`` (a pattern) back from now on."""
    return jsonify({"held": delivery.hold(_world(), str(_given().get("event") or "*"))})


@blueprint.post("/_state/release_events")
def release_events() -> Any:
    """Let the held events go, in ``order`` random, kept or reversed."""
    try:
        return jsonify({"released": delivery.release(_world(), order=str(_given().get("order") or "random"))})
    except ValueError as error:
        return _refused(f"unknown order: {error}")


@blueprint.post("/_state/reset")
def reset() -> Any:
    """Back to the data the emulator started with."""
    faults.release(_world())
    _world().replace_with(current_app.emulator.fresh())  # type: ignore[attr-defined]
    return jsonify({"reset": True})


@blueprint.get("/_state/items/<int:entity_type_id>")
def items(entity_type_id: int) -> Any:
    with _world().lock:
        return jsonify(list(_portal().items.get(entity_type_id, {}).values()))


def _about(portal: Portal) -> dict[str, Any]:
    names = ("member_id", "host", "title", "client_endpoint", "silent", "self_hosted", "former_hosts")
    return {name: getattr(portal, name) for name in names}


PARTS = {
    "calls": lambda portal: portal.calls,
    "auth_calls": lambda portal: portal.world.auth.calls,
    "events": lambda portal: list(portal.events.values()),
    "sections": lambda portal: list(portal.sections.values()),
    "placements": lambda portal: portal.placements,
    "handlers": lambda portal: portal.event_handlers,
    "types": lambda portal: list(portal.types.values()),
    "fields": lambda portal: list(portal.userfields.values()),
    "statuses": lambda portal: list(portal.statuses.values()),
    "categories": lambda portal: [one for rows in portal.categories.values() for one in rows.values()],
    "notices": lambda portal: portal.notices,
    "comments": lambda portal: list(portal.comments.values()),
    "bin": lambda portal: list(portal.bin.values()),
    "product_rows": lambda portal: list(portal.product_rows.values()),
    "stage_history": lambda portal: portal.stage_history,
    "robots": lambda portal: portal.robots,
    "triggers": lambda portal: portal.triggers,
    "placed": lambda portal: portal.placed,
    "runs": lambda portal: list(portal.runs.values()),
    "crm_rights": lambda portal: [{"user": user, "kinds": rows} for user, rows in portal.crm_rights.items()],
    "users": lambda portal: list(portal.users.values()),
    "apps": lambda portal: list(portal.apps.values()),
    "tokens": lambda portal: list(portal.world.auth.tokens.values()),
    "outbox": lambda portal: portal.world.outbox,
    "sent": lambda portal: portal.world.sent,
    "absences": lambda portal: portal.absences,
    "offline_events": lambda portal: portal.offline_events,
    "portals": lambda portal: [_about(one) for one in portal.world.portals.values()],
    "withheld": lambda portal: list(portal.world.withheld.values()),
    "options": lambda portal: portal.app_options,
}


@blueprint.get("/_state/<part>")
def state(part: str) -> Any:
    """One part of what the portal remembers, as a JSON list."""
    if part not in PARTS:
        return _refused(f"known parts: {', '.join(sorted(PARTS))}, items/<entityTypeId>")
    with _world().lock:
        return jsonify(dump(PARTS[part](_portal())))
