"""Sample data: in with one click, out with another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import make_response, render_template
from flask.typing import ResponseReturnValue

from b24app.bitrix.client import Command
from b24app.booking import samples
from b24app.errors import InvalidInput
from b24app.ledger import samples as rows
from b24app.ledger.samples import Picture
from b24app.ledger.session import transaction
from b24app.sync.laid import LaidCrm
from b24app.web import errors, panel, settings
from b24app.web.board import CHANGED
from b24app.web.crm import crm
from b24app.web.visit import current_tenant, current_visit, now, services

blueprint = settings.section("samples", __name__)


@blueprint.get("/app/samples")
def show() -> ResponseReturnValue:
    """What samples are, and the button that puts them in or takes them out."""
    return _shown(200, [])


@blueprint.post("/app/samples")
def put_in() -> ResponseReturnValue:
    """Puts them in."""
    try:
        with transaction(services().engine) as tx:
            tenant = current_tenant(tx)
            panel.check_writable(tenant)
            samples.put_in(
                tx, tenant.portal, viewer=current_visit().viewer, now=now(),
                longest_hours=services().settings.longest_booking_hours,
            )  # fmt: skip
    except InvalidInput as refused:
        return _shown(errors.status(refused), errors.problems(refused, current_visit().language))
    return _shown(200, [], changed=True)


@blueprint.post("/app/samples/out")
def take_out() -> ResponseReturnValue:
    """(calls) Takes them out: of the portal what people have made of them there, and then of the ledger."""
    viewer = current_visit().viewer
    try:
        with transaction(services().engine) as tx:
            tenant = current_tenant(tx)
            panel.check_writable(tenant)
            shown = rows.pictures(tx, tenant.portal.id, samples.check_free(tx, tenant.portal, viewer=viewer))
            laid = LaidCrm.from_json(tenant.portal.crm)
        if commands := dict(_erasing(shown, laid)):
            crm().batch(commands)
        with transaction(services().engine) as tx:
            samples.take_out(tx, current_tenant(tx).portal, viewer=viewer)
    except InvalidInput as refused:
        return _shown(errors.status(refused), errors.problems(refused, current_visit().language))
    return _shown(200, [], changed=True)


def _erasing(shown: Sequence[Picture], laid: LaidCrm) -> Iterator[tuple[str, Command]]:
    """What the portal is told to delete; what has gone there already is no trouble."""
    for n, one in enumerate(shown):
        of = laid.type("resources" if one.of_resource else "bookings")
        if one.kind == "event":
            yield f"event{n}", Command("calendar.event.delete", {"id": one.remote_id})
        elif of is not None:
            yield f"item{n}", Command("crm.item.delete", {"entityTypeId": of.entity_type_id, "id": one.remote_id})


def _shown(status: int, problems: Sequence[errors.Problem], *, changed: bool = False) -> ResponseReturnValue:
    with transaction(services().engine) as tx:
        there = samples.standing(current_tenant(tx).portal) is not None
    page = render_template("guide/_samples.html", there=there, problems=problems, visit=current_visit())
    answer = make_response(page, status)
    if changed:
        answer.headers["HX-Trigger"] = CHANGED
    return answer
