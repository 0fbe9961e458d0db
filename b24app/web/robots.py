"""The portal's automation runs a robot of ours: kept at once, carried out and answered by the worker.

Proof is the same as that of an event. Whoever calls waits for a result, so whatever can be answered at all is taken;
a call that is told twice is done once. https://apidocs.bitrix24.com/api-reference/bizproc/bizproc-robot/index.html
"""

from __future__ import annotations

import logging

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from b24app.bitrix.payload import BadPayload, RobotCall
from b24app.ledger import refs, robot_calls
from b24app.ledger.robot_calls import Called
from b24app.ledger.session import transaction
from b24app.sync.manifest import manifest
from b24app.web.caller import Closed
from b24app.web.events import signed
from b24app.web.visit import now, services

blueprint = Blueprint("robots", __name__)
log = logging.getLogger(__name__)

LARGEST_CALL_BYTES = 1024 * 1024  # a comment may be a long one, and a refused call would wait for ever


@blueprint.get(manifest().robots_handler)
def bare() -> ResponseReturnValue:
    """The market checks the address with HEAD."""
    return "", 200


@blueprint.post(manifest().robots_handler)
def called() -> ResponseReturnValue:
    """Keeps the call: 200, 400 for a broken form, 403 for one that proves nothing."""
    request.max_content_length = request.max_form_memory_size = LARGEST_CALL_BYTES
    try:
        call = RobotCall.parse(request.form)
        _keep(call)
    except BadPayload as error:
        return f"malformed: {error.field}", 400
    except Closed as closed:
        log.warning("a robot's call was refused: %s", closed.reason)
        return closed.reason, closed.status
    return "", 200


def _keep(call: RobotCall) -> None:
    given = {code: list(values) for code, values in call.properties.items()}
    with transaction(services().engine) as tx:
        portal = signed(tx, call.member_id, call.application_token).portal
        kept = Called(call.code, call.event_token, call.document, given, call.user_id, call.waits)
        robot_calls.keep(tx, portal.id, kept, now())
        refs.wake(tx, portal.id)
    log.info("robot %s of portal %s", call.code, portal.id)
