"""An administrator looks as somebody else: everything as that person sees it, nothing can be changed.

Our bearer stays the administrator's own, so it is renewed as ever; beside it the page sends a ticket that says as whom
he looks. It is made once, which the log of changes keeps, and is of no use to anybody else.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, Response, current_app, g, make_response, render_template, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer

from b24app.booking import changes
from b24app.errors import InvalidInput, NotAllowed
from b24app.ledger import tenancy
from b24app.ledger.access import EMPLOYEES, Viewer
from b24app.ledger.session import transaction
from b24app.sync import people
from b24app.web import board, remembered
from b24app.web.crm import crm
from b24app.web.forms import NumberField, PortalForm, filled
from b24app.web.settings import only_administrators
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("look_as", __name__, url_prefix="/app/look-as")

HEADER = "X-Look-As"
SALT = "look"
GOOD_FOR = timedelta(hours=1)
# What a page says by itself, about nobody: it goes on while somebody looks.
HARMLESS = frozenset({"frame.beat"})
INSIDE = "board/_inside.html"


class LookForm(PortalForm):
    """As whom to look."""

    person = NumberField(validators=filled())


@blueprint.post("")
def begin() -> ResponseReturnValue:
    """The whole page as this person has it; from now on the page sends the ticket with every request."""
    only_administrators()
    form = LookForm()
    form.check_shape()
    visit = current_visit()
    name = _known(visit, form.person.data)
    with transaction(services().engine) as tx:
        portal = seen_tenant().portal
        changes.record(tx, portal, visit.viewer.actor, "look", form.person.data, name, "added", None, name, now())
    g.visit = _as(visit, form.person.data, name)
    return _page(_ticket(visit, form.person.data, name))


def _known(visit: Visit, user_id: int) -> str:
    """The name of a person of whom the ledger knows what he may do; raises InvalidInput for nobody of this portal."""
    people.learn(crm(), services().engine, visit.portal_id, [user_id], now())
    with transaction(services().engine) as tx:
        known = people.viewer_of(tx, seen_tenant().portal, user_id, now())
        name = tenancy.user_names(tx, visit.portal_id, [user_id]).get(user_id, "")
    if known is None or EMPLOYEES not in known.codes:
        raise InvalidInput({"person": "unknown_user"})
    return name


@blueprint.get("/end")
def end() -> ResponseReturnValue:
    """The page as the administrator himself has it, and no ticket any more."""
    return _page("")


def _page(ticket: str) -> Response:
    """What stands inside of the page for whoever is looked as now."""
    visit = current_visit()
    with transaction(services().engine) as tx:
        shown = board.read_board(tx, seen_tenant(), visit, remembered.recall(tx, visit), now())
    answer = make_response(render_template(INSIDE, visit=visit, board=shown))
    answer.headers["HX-Trigger"] = json.dumps({"b24:look": {"ticket": ticket}})
    return answer


# With every request ----


def put_on() -> None:
    """Makes this request the looked-at person's where the page sends a ticket. Raises NotAllowed for what would change
    something, and for a ticket that is not good (any more)."""
    text = request.headers.get(HEADER, "")
    if not text or request.endpoint == f"{blueprint.name}.end":
        return
    only_administrators()
    user_id, name = _read(text)
    if request.method not in ("GET", "HEAD", "OPTIONS") and request.endpoint not in HARMLESS:
        raise NotAllowed("looking")
    g.visit = _as(current_visit(), user_id, name)


def _as(visit: Visit, user_id: int, name: str) -> Visit:
    """The administrator's visit as that person's: his rights as of now."""
    with transaction(services().engine) as tx:
        viewer = people.viewer_of(tx, seen_tenant().portal, user_id, now())
    viewer = viewer or Viewer(user_id, codes=frozenset())
    return replace(visit, viewer=viewer, name=name, watched_by=visit.viewer.user_id)


def _ticket(visit: Visit, user_id: int, name: str) -> str:
    until = int((now() + GOOD_FOR).timestamp())
    return str(_serializer().dumps([visit.portal_id, visit.viewer.user_id, user_id, name, until]))


def _read(text: str) -> tuple[int, str]:
    visit = current_visit()
    try:
        portal_id, admin_id, user_id, name, until = _serializer().loads(text[:2000])
    except (BadSignature, TypeError, ValueError) as error:
        raise NotAllowed("looking_over") from error
    if (portal_id, admin_id) != (visit.portal_id, visit.viewer.user_id) or until <= now().timestamp():
        raise NotAllowed("looking_over")
    return user_id, name


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=SALT)
