"""Calendar feeds: secret addresses that calendar programs read without a login, and the list to make and revoke them.

A feed shows what its maker may see at the moment of reading. Programs ask as often as they like, so each feed is drawn
at most once a minute in a process; whether it may be read at all is asked every time.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, current_app, g, make_response, render_template, request
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.errors import InvalidInput
from b24app.ledger import board, entries, feeds, tenancy
from b24app.ledger.access import Viewer
from b24app.ledger.entries import Entry, Reach
from b24app.ledger.feeds import FeedData, FeedRow
from b24app.ledger.portal_models import Feed
from b24app.ledger.session import Session, transaction
from b24app.ledger.spread import BoardResource, Offered
from b24app.ledger.tenancy import Tenant
from b24app.scheduling.interval import Interval
from b24app.sync.people import viewer_of
from b24app.web import ics
from b24app.web.memory import Memory
from b24app.web.panel import check_writable
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("feeds", __name__)

SECRET = re.compile(r"/(feed|files)/[^\s\"]+")

PAST, AHEAD = timedelta(days=30), timedelta(days=180)
DRAWN_FOR = timedelta(minutes=1)
MOST_KEPT = 200
MINE = "mine"


class Line(NamedTuple):
    """A feed in the list."""

    id: int
    what: str
    names: bool
    maker: str
    made: str
    read: str


@dataclass(frozen=True, slots=True)
class FeedsPage:
    """What templates/sheet/_feeds.html shows. `address` is there once, right after it was made."""

    resources: Sequence[BoardResource]
    chosen: str
    lines: Sequence[Line]
    writable: bool
    address: str = ""
    address_of: str = ""


@blueprint.record_once
def _keep_secrets_out_of_the_log(state: BlueprintSetupState) -> None:
    """Flask names the address of a request that has failed, and these addresses are secrets."""
    state.app.logger.addFilter(_mask)


def _mask(record: logging.LogRecord) -> bool:
    record.msg, record.args = SECRET.sub(r"/\1/-", record.getMessage()), None
    return True


@blueprint.get("/app/feeds")
def show() -> ResponseReturnValue:
    """What there is, and the form for another one; `resource` is chosen in it."""
    with transaction(services().engine) as tx:
        page = _page(tx, current_visit(), chosen=request.args.get("resource", ""))
    return _shown(page)


@blueprint.post("/app/feeds")
def create() -> ResponseReturnValue:
    """Makes a feed and shows its address, this once. Form: `what` (a resource's number or "mine"), `names`."""
    visit, data = current_visit(), _wanted(current_visit())
    check_writable(seen_tenant())
    with transaction(services().engine) as tx:
        feed, secret = feeds.make(tx, visit.portal_id, data, viewer=visit.viewer, now=now())
        page = _page(tx, visit, chosen=request.form["what"], made=(feed, address_of(secret)))
    return _shown(page)


@blueprint.post("/app/feeds/<int(max=9223372036854775807):feed_id>/revoke")
def revoke(feed_id: int) -> ResponseReturnValue:
    """The address answers nobody any more."""
    visit = current_visit()
    with transaction(services().engine) as tx:
        feeds.revoke(tx, visit.portal_id, feed_id, viewer=visit.viewer, now=now())
        page = _page(tx, visit)
    return _shown(page)


def _shown(page: FeedsPage) -> Response:
    return make_response(render_template("sheet/_feeds.html", page=page, visit=current_visit()))


def _wanted(visit: Visit) -> FeedData:
    what, names = request.form.get("what", ""), bool(request.form.get("names"))
    if what == MINE:
        return FeedData(user_id=visit.viewer.user_id, names=names)
    if not (what.isascii() and what.isdigit() and len(what) <= 18):
        raise InvalidInput({"what": "unknown_resource"})
    return FeedData(resource_id=int(what), names=names)


def address_of(secret: str) -> str:
    """The address to put into a calendar program."""
    return f"{services().settings.app_url}/feed/{secret}.ics"


def _page(tx: Session, visit: Visit, *, chosen: str = "", made: tuple[Feed, str] | None = None) -> FeedsPage:
    of = board.offered(tx, visit.portal_id, visit.viewer, Interval(now(), now() + timedelta(days=1)))
    rows = feeds.listed(tx, visit.portal_id, visit.viewer)
    new = next((_what(row) for row in rows if made and row.feed.id == made[0].id), "")
    return FeedsPage(
        resources=[one for one in of.shown if of.may("see", one.id)],
        chosen=chosen,
        lines=[_line(visit, row) for row in rows],
        writable=not seen_tenant().installation.payment_expired,
        address=made[1] if made else "",
        address_of=new,
    )


def _line(visit: Visit, row: FeedRow) -> Line:
    feed, zone = row.feed, ZoneInfo(visit.time_zone)
    return Line(
        id=feed.id,
        what=_what(row),
        names=feed.names,
        maker="" if feed.created_by == visit.viewer.user_id else row.maker or _("somebody who has left"),
        made=_moment(visit, feed.created_at, zone),
        read=_moment(visit, feed.read_at, zone) if feed.read_at else "",
    )


def _moment(visit: Visit, at: datetime, zone: ZoneInfo) -> str:
    return texts.moment(visit.language, at, zone, now())


def _what(row: FeedRow) -> str:
    return row.resource or (
        _("My bookings") if row.feed.created_by == current_visit().viewer.user_id else _("Own bookings")
    )


# Reading -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Body:
    """A calendar as it was drawn, with its tag."""

    text: bytes
    tag: str


@blueprint.get("/feed/<secret>.ics")
def read(secret: str) -> ResponseReturnValue:
    """The calendar. 404 for a secret that never was; 410 for a revoked one, or when its maker may not see this now."""
    at = now()
    with transaction(services().engine) as tx:
        feed = feeds.by_secret(tx, secret)
        if feed is None:
            abort(404)
        looked = _look(tx, feed, at)
        if looked is None:
            abort(410)
        g.language = looked.tenant.portal.language
        body = _drawn(tx, feed, looked, at)
        feeds.note_read(tx, feed.portal_id, feed, at)
    return _answer(body)


class Look(NamedTuple):
    """Who looks through a feed, and at what."""

    tenant: Tenant
    viewer: Viewer
    of: Offered


def _look(tx: Session, feed: Feed, at: datetime) -> Look | None:
    """None where there is nothing to be seen any more: revoked, removed, dismissed, archived, no right."""
    tenant = tenancy.tenant(tx, feed.portal_id) if feed.revoked_at is None else None
    if tenant is None:
        return None
    viewer = viewer_of(tx, tenant.portal, feed.created_by, at)
    if viewer is None or not viewer.codes:
        return None
    of = board.offered(tx, feed.portal_id, viewer, Interval(at, at + timedelta(days=1)))
    if feed.resource_id is None:
        return Look(tenant, viewer, of)
    offered = of.only({feed.resource_id}).shown and of.may("see", feed.resource_id)
    return Look(tenant, viewer, of) if offered else None


def _memory() -> Memory[Body]:
    return cast(Memory[Body], current_app.extensions.setdefault("b24_feeds", Memory(MOST_KEPT)))


def _drawn(tx: Session, feed: Feed, look: Look, at: datetime) -> Body:
    """The calendar, at most a minute old; other rights of its maker are another calendar."""
    key = (feed.id, look.viewer.is_admin, look.viewer.grants)
    if kept := _memory().get(key, at):
        return kept
    text = _draw(tx, feed, look, at)
    body = Body(text, hashlib.blake2b(text, digest_size=12).hexdigest())
    _memory().put(key, body, at + DRAWN_FOR)
    return body


def _draw(tx: Session, feed: Feed, look: Look, at: datetime) -> bytes:
    portal = look.tenant.portal
    found = _entries(tx, feed, look, at)
    where = entries.places(tx, portal.id, {one for entry in found if entry.seen for one in entry.resource_ids})
    name = look.of.every[feed.resource_id].name if feed.resource_id else texts.say(portal.language, "feed.mine")
    return ics.calendar(name, found, where, ics.told(portal, portal.language, names=feed.names))


def _entries(tx: Session, feed: Feed, look: Look, at: datetime) -> list[Entry]:
    portal = look.tenant.portal
    # Whole hours, so that the calendar does not change with the clock alone.
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    reach = Reach(Interval(hour - PAST, hour + AHEAD), timedelta(minutes=portal.longest_minutes), at)
    if feed.resource_id is not None:
        return entries.on_resource(tx, portal.id, look.viewer, look.of, feed.resource_id, reach)
    return entries.of_person(tx, portal.id, look.viewer, look.of, feed.user_id or 0, reach)


def _answer(body: Body) -> Response:
    answer = make_response(body.text)
    answer.headers["Content-Type"] = ics.MIME
    answer.headers["Cache-Control"] = "private, max-age=60"
    answer.headers["X-Robots-Tag"] = "noindex"
    answer.set_etag(body.tag)
    answer.make_conditional(request)
    return answer
