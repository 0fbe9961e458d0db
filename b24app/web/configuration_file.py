"""The file of a configuration, opened by a browser with a ticket: it saves files without our bearer."""

from __future__ import annotations

import json
from urllib.parse import quote

from flask import Blueprint, Response, g, make_response
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.configuration import to_json
from b24app.booking.configuration_read import read
from b24app.ledger.models import Portal
from b24app.ledger.session import Session, transaction
from b24app.web import tickets
from b24app.web.caller import Closed
from b24app.web.closed import closed_page
from b24app.web.visit import Visit, now, services

blueprint = Blueprint("configuration_file", __name__)

TICKET = "configuration"


@blueprint.get("/files/configuration/<ticket>")
def opened(ticket: str) -> ResponseReturnValue:
    """Everything that is set up, for the administrator whose ticket it is."""
    try:
        visit, what, _params = tickets.read(ticket)
        g.language = visit.language
        if what != TICKET or not visit.viewer.is_admin:
            raise Closed("link_over", 403)
        with transaction(services().engine) as tx:
            tenant, g.visit = tickets.enter(tx, visit)
            return _file(tx, tenant.portal, visit)
    except Closed as closed:
        return closed_page(closed.reason, closed.status)


def _file(tx: Session, portal: Portal, visit: Visit) -> Response:
    answer = make_response(json.dumps(to_json(read(tx, portal, now())), ensure_ascii=False, indent=1))
    name = f"{texts.say(visit.language, 'configuration_file')} {portal.domain} {now():%Y-%m-%d}.json"
    answer.headers["Content-Type"] = "application/json; charset=utf-8"
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
