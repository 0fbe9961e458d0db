"""Pages of the emulator itself: knobs and faults, the log of REST calls, the events that were sent."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from emulator import delivery, faults
from emulator.call import REGISTER
from emulator.knobs import Knobs
from emulator.pages.viewer import Viewer, viewer
from emulator.pages.words import knob_label
from emulator.state import Json

CHOICES = {
    "profile": ("plain", "cloud"),
    "token_family": ("two", "one"),
    "unsaved_id": ("0", ""),
    "company_calendar_write": ("admins", "everybody", "nobody"),
    "scope_status": (403, 401),
}
SHOWN = 200


def show_knobs(error: str = "") -> str:
    me = viewer()
    return render_template(
        "portal/knobs.html",
        knobs=_knobs(me),
        faults=list(me.world.faults),
        kinds=faults.KINDS,
        error=error,
        methods=["*", "oauth/token", "oauth/app.info", *sorted(REGISTER)],
        saved="saved" in request.args,
        withheld=len(me.world.withheld),
    )


def _knobs(me: Viewer) -> list[Json]:
    return [
        {
            "name": part.name,
            "label": knob_label(part.name, me.lang),
            "value": _shown(getattr(me.world.knobs, part.name)),
            "yes_no": isinstance(part.default, bool),
            "choices": CHOICES.get(part.name),
        }
        for part in dataclasses.fields(Knobs)
    ]


def _shown(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, float) else value


def turn_knobs() -> Response:
    """Take over the whole form: a missing tick is a "no". A changed profile sets its delays and limits itself."""
    me = viewer()
    wanted = {k["name"]: request.form.get(k["name"], "0" if k["yes_no"] else "") for k in _knobs(me)}
    if wanted["profile"] != me.world.knobs.profile:
        wanted = {"profile": wanted["profile"]}
    with me.world.lock:
        me.world.knobs.change({name: value for name, value in wanted.items() if value or name == "unsaved_id"})
    me.world.touch()
    return redirect(url_for("pages.show_knobs", saved=1))


def add_fault() -> Response | tuple[str, int]:
    try:
        faults.add(viewer().world, dict(request.form))
    except ValueError as error:
        return show_knobs(str(error)), 422
    return redirect(url_for("pages.show_knobs"))


def clear_faults() -> Response:
    world = viewer().world
    with world.lock:
        world.faults.clear()
    world.touch()
    return redirect(url_for("pages.show_knobs"))


def release_answers() -> Response:
    faults.release(viewer().world)
    return redirect(url_for("pages.show_knobs"))


def show_calls() -> str:
    """The REST calls of this portal, newest first."""
    me = viewer()
    return render_template("portal/calls.html", rows=[_call_row(me, one) for one in reversed(me.portal.calls[-SHOWN:])])


def _call_row(me: Viewer, entry: Json) -> Json:
    user = me.portal.user(int(entry.get("user_id") or 0))
    status = entry.get("status", "")
    return {
        "time": _clock(me, entry),
        "method": entry.get("method", ""),
        "status": status,
        "good": status == 200,
        "caller": user.full_name if user else "",
        "took": entry.get("ms", ""),
        "details": _short(entry.get("error") or entry.get("params") or ""),
    }


def show_events() -> str:
    """What waits in the outbox and what was sent, newest first."""
    me = viewer()
    waiting = [{"status": me.t("held" if row.get("held") else "waiting"), **row} for row in me.world.outbox]
    rows = [_event_row(me, one) for one in reversed([*me.world.sent[-SHOWN:], *waiting])]
    return render_template("portal/sent.html", rows=rows)


def hold_events() -> Response:
    """Keep back what waits and what will come, until ``release_events`` lets it go in another order."""
    delivery.hold(viewer().world)
    return redirect(url_for("pages.show_events"))


def release_events() -> Response:
    delivery.release(viewer().world)
    return redirect(url_for("pages.show_events"))


def _event_row(me: Viewer, entry: Json) -> Json:
    status = entry.get("status") or entry.get("error") or ""
    return {
        "time": _clock(me, entry),
        "event": entry["event"],
        "handler": entry["url"],
        "status": status,
        "good": status == 200,
        "details": _short(entry["body"].get("data", "")),
    }


def _clock(me: Viewer, entry: Json) -> str:
    instant = entry.get("at") or entry.get("due") or 0
    return f"{datetime.fromtimestamp(instant, UTC).astimezone(me.zone):%H:%M:%S}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "…"
