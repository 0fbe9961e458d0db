"""Signed links to one file each, for what a browser opens by itself: a new tab and a download carry no bearer.

A ticket is good for one exact thing, for the person and the installation that it was made for, and for a minute. It
carries who asks and never what he may do: that is read from the ledger when it is opened. It may be opened more than
once in that minute, because browsers' viewers of PDF files ask for them again in pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from b24app.ledger import queries, tenancy
from b24app.ledger.session import Session
from b24app.ledger.tenancy import Tenant
from b24app.web import bearer
from b24app.web.caller import Closed
from b24app.web.visit import Visit, now

GOOD_FOR = timedelta(seconds=60)
SALT = "ticket"
LONGEST = 4000


def issue(visit: Visit, what: str, params: Mapping[str, str]) -> str:
    """A ticket for `what` with these parameters."""
    until = int((now() + GOOD_FOR).timestamp())
    return str(_serializer().dumps([bearer.packed(visit), what, dict(params), until]))


def read(text: str) -> tuple[Visit, str, dict[str, str]]:
    """Who asks for what; raises Closed for a ticket that is not ours or whose time is over."""
    try:
        data, what, params, until = _serializer().loads(text[:LONGEST])
        visit = bearer.unpacked(data)
    except (BadSignature, KeyError, TypeError, ValueError) as error:
        raise Closed("link_over", 403) from error
    if until <= now().timestamp():
        raise Closed("link_over", 403)
    return visit, what, dict(params)


def enter(tx: Session, visit: Visit) -> tuple[Tenant, Visit]:
    """The tenant, and the visit with what he may do now. Raises Closed when the installation has ended."""
    tenant = tenancy.tenant(tx, visit.portal_id)
    if tenant is None or tenant.portal.member_id != visit.member_id:
        raise Closed("removed", 410)
    if tenant.installation.id != visit.installation_id:
        raise Closed("link_over", 403)
    grants = queries.grants(tx, visit.portal_id, visit.viewer.codes, now())
    return tenant, replace(visit, viewer=replace(visit.viewer, grants=grants))


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=SALT)
