"""Every kind of actor at every address, and at every query: let in exactly where `routes` says so.

Who is refused changes nothing; what has no line in `routes` fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from b24app.booking.closures import ClosureData, save_closure
from b24app.booking.policies import make_policy, save_policy
from b24app.booking.reserve import BookingRequest, book
from b24app.errors import NotAllowed, NotFound
from b24app.ledger import agenda, approval, board, directory, queries, tenancy
from b24app.ledger.access import RIGHTS, GrantRule, RobotViewer, Viewer, codes_of
from b24app.ledger.feeds import FeedData
from b24app.ledger.feeds import make as make_feed
from b24app.ledger.models import ExternalRef, Grant, Portal, PortalUser, Resource
from b24app.ledger.session import transaction
from b24app.sync.people import viewer_of
from b24app.web import bearer
from b24app.web.visit import Visit
from tests.factories import ADMIN as ADMINISTRATOR
from tests.factories import hour, installation_of, make_booking, make_portal, make_resource, make_service
from tests.prove import servers
from tests.web import routes
from tests.web.installed import everything

BASE = "https://app.example.com"
GUARDED = ("/app/", "/install/")
DENIED = {403, 404}
AUTHOR = 30


@dataclass(frozen=True)
class Actor:
    """Somebody at the door. `level` as in `routes`; `given`: the right and the code by which he has it."""

    name: str
    user: int
    level: int
    given: tuple[str, str] | None = None
    departments: tuple[int, ...] = ()
    is_admin: bool = False
    employed: bool = True

    @property
    def codes(self) -> frozenset[str]:
        return codes_of(self.user, self.departments) if self.employed else frozenset({f"U{self.user}"})


ACTORS = (
    Actor("an employee without any right", 10, routes.NOBODY),
    Actor("who sees what is taken", 11, routes.BUSY, ("busy", "U11")),
    Actor("a member of a department within that one", 12, routes.SEE, ("see", "DR1"), (2,)),
    Actor("a member of a project group", 13, routes.REQUEST, ("request", "SG3_K")),
    Actor("a manager who books", 14, routes.BOOK, ("book", "D7"), (7,)),
    Actor("an approver", 15, routes.APPROVE, ("approve", "U15")),
    Actor("who stands in for the approver", 16, routes.APPROVE),
    Actor("who manages", 17, routes.MANAGE, ("manage", "U17")),
    Actor("a guest of the extranet", 18, routes.NOBODY, None, (), employed=False),
    Actor("an administrator", 1, routes.ADMIN, is_admin=True),
)
DISMISSED = Actor("who was dismissed", 19, routes.NOBODY, ("manage", "U19"))


@dataclass
class Company:
    """A portal with one of everything, and what stands in its addresses."""

    portal: Portal
    installation_id: int
    room: Resource
    ids: dict[str, Any]
    now: datetime

    def bearer(self, app: Flask, actor: Actor) -> str:
        visit = Visit(
            portal_id=self.portal.id, installation_id=self.installation_id, member_id=self.portal.member_id,
            viewer=Viewer(actor.user, actor.is_admin, actor.codes), name=actor.name, language="en",
            time_zone="Europe/Moscow", place="LEFT_MENU", entity_id=None, expires_at=self.now + timedelta(hours=1),
        )  # fmt: skip
        with app.app_context():
            return bearer.issue(visit)


@pytest.fixture
def company(app: Flask, engine: Engine, now: datetime) -> Company:
    app.config["CLOCK"] = lambda: now
    app.config["SECRET_KEY"] = servers.SECRET
    with transaction(engine) as tx:
        portal = make_portal(tx)
        tx.query(Grant).filter_by(portal_id=portal.id).delete()
        room = make_resource(tx, portal, now=now, name="Ока")
        policy = save_policy(tx, portal, make_policy(name="Правила"), viewer=ADMINISTRATOR, now=now)
        made = make_booking(tx, portal, room, now=now, viewer=Viewer(AUTHOR, is_admin=True), responsible_id=AUTHOR)
        feed, _ = make_feed(tx, portal.id, FeedData(resource_id=room.id), viewer=Viewer(AUTHOR, is_admin=True), now=now)
        ids = {
            "booking_id": made.id, "number": made.number, "resource_id": room.id, "policy_id": policy.id,
            "closure_id": save_closure(
                tx, portal, ClosureData(now.date() + timedelta(9), reason="Ремонт"), viewer=ADMINISTRATOR, now=now
            ).id,
            "service_id": make_service(tx, portal, (room, 1)).id, "feed_id": feed.id,
            "ref_id": tx.scalars(select(ExternalRef.id).where(ExternalRef.booking_id == made.id).limit(1)).one(),
        }  # fmt: skip
        _people(tx, portal, now)
        return Company(portal, installation_of(tx, portal), room, ids, now)


def _people(tx: Session, portal: Portal, now: datetime) -> None:
    """Their rights, the departments within departments, the members of the group, and who is away."""
    for one in (*ACTORS, DISMISSED):
        tenancy.remember_user(tx, portal.id, one.user, one.name, now, codes=one.codes, is_admin=one.is_admin)
        if one.given:
            tx.add(Grant(portal_id=portal.id, scope="everything", code=one.given[1], right=one.given[0]))
    tx.flush()
    directory.keep(tx, portal.id, {("D2", "DR1"), ("U13", "SG3"), ("U13", "SG3_K")}, {"DR1": "Студия"}, now)
    approval.set_away(tx, portal.id, 15, 16, now + timedelta(days=1))
    for row in tx.scalars(select(PortalUser).where(PortalUser.user_id == DISMISSED.user)):
        row.dismissed = True


# Addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def all_rules(app: Flask) -> list[tuple[Rule, str]]:
    """Every guarded address with each of its methods."""
    found = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(GUARDED)]
    return [(rule, method) for rule in found for method in sorted((rule.methods or set()) & {"GET", "POST"})]


def test_every_address_has_its_line(app: Flask) -> None:
    """Default-deny: an address that nobody has thought about is a fault."""
    guarded = {rule.endpoint for rule, _ in all_rules(app)}
    assert {one for one in guarded if routes.least(one) is None} == set()
    others = {rule.endpoint for rule in app.url_map.iter_rules()} - guarded
    assert others <= routes.PUBLIC, others - routes.PUBLIC
    assert set(routes.ROUTES) <= guarded, set(routes.ROUTES) - guarded


def form(company: Company) -> dict[str, Any]:
    """Every field that an address might ask for. The revision is an old one: who is let in changes nothing."""
    start = int((company.now + timedelta(hours=30)).timestamp())
    day = (company.now + timedelta(days=2)).date().isoformat()
    return {
        "resource": company.room.id, "service": "", "start": start, "end": start + 3600,
        "booking": company.ids["number"], "lane": company.room.id, "revision": 0, "amount": "10", "method": "cash",
        "on_day": company.now.date().isoformat(),
        "reason": "нет", "record": 1, "pinned": "1", "request_key": uuid.uuid4().hex, "title": "Встреча", "day": day,
        "what": company.room.id,
    }  # fmt: skip


def booking_form(company: Company) -> dict[str, Any]:
    """The form of a booking, which has times in another shape."""
    day = (company.now + timedelta(days=2)).date().isoformat()
    return form(company) | {"date": day, "start": "12:00", "end": "13:00", "responsible": "", "party": 1}


def send(app: Flask, company: Company, rule: Rule, method: str, headers: dict[str, str]) -> TestResponse:
    known = {**company.ids, "name": "rights", "question": "what", "batch": uuid.uuid4()}
    url = app.url_map.bind("app.example.com").build(rule.endpoint, {n: known.get(n, 1) for n in rule.arguments}, method)
    posts = rule.endpoint in ("bookings.create", "chosen.create", "bookings.move", "bookings.move_terms")
    fields = booking_form(company) if posts else form(company)
    if rule.endpoint == "actions.undo":
        fields["revision"] = 1  # of an older one it is said first that it is old
    sent: dict[str, Any] = {"data": fields} if method == "POST" else {"query_string": fields}
    return app.test_client().open(url, method=method, headers=headers, base_url=BASE, **sent)


def is_let_in(answer: TestResponse, endpoint: str) -> bool:
    """Administrators' pages say 403 before they look; of what somebody may not even know it is said that it is not
    there."""
    return answer.status_code not in DENIED if endpoint in routes.ROUTES else answer.status_code != 403


def by_level(app: Flask) -> Iterator[tuple[Rule, str, int]]:
    for rule, method in all_rules(app):
        if rule.endpoint != "frame.renew":
            yield rule, method, routes.least(rule.endpoint) or 0


@pytest.mark.parametrize("actor", ACTORS, ids=lambda one: one.name)
def test_who_is_let_in(app: Flask, engine: Engine, company: Company, actor: Actor) -> None:
    headers = {"Authorization": f"Bearer {company.bearer(app, actor)}", "X-B24-Token": "his"}
    before, wrong = settled(engine), []
    for rule, method, least in by_level(app):
        if actor.level >= least:
            continue
        answer = send(app, company, rule, method, headers)
        if is_let_in(answer, rule.endpoint):
            wrong.append((method, rule.rule, answer.status_code))
    assert wrong == [], "these should be refused"
    assert settled(engine) == before, "who is refused changes nothing"
    for rule, method, least in by_level(app):
        if actor.level >= least:
            answer = send(app, company, rule, method, headers)
            if not is_let_in(answer, rule.endpoint):
                wrong.append((method, rule.rule, answer.status_code))
    assert wrong == [], "these should be let in"


def settled(engine: Engine) -> dict[str, list[str]]:
    """Every row but the one that says that somebody has a page open."""
    return {name: rows for name, rows in everything(engine).items() if name != "portal_activity"}


@pytest.mark.parametrize("who", ["dismissed", "of an installation that is over"])
def test_who_is_nobody_here_any_more(app: Flask, engine: Engine, company: Company, who: str) -> None:
    """Whatever his page says: that he is an administrator, for one."""
    theirs = company if who == "dismissed" else replace(company, installation_id=company.installation_id + 1000)
    text = theirs.bearer(app, replace(DISMISSED if who == "dismissed" else ACTORS[-1], is_admin=True))
    before = settled(engine)
    for rule, method, _ in by_level(app):
        answer = send(app, company, rule, method, {"Authorization": f"Bearer {text}", "X-B24-Token": "his"})
        assert answer.status_code == 401, (rule.rule, answer.status_code)
    assert settled(engine) == before


# Queries ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def viewers(tx: Session, company: Company) -> Iterator[tuple[str, Viewer, int]]:
    """Everybody as the background knows him: no frame proves who he is."""
    for one in (*ACTORS, DISMISSED):
        found = viewer_of(tx, company.portal, one.user, company.now)
        assert found is not None
        yield one.name, found, one.level
    yield "a robot", RobotViewer(0), routes.ADMIN


def may_book(tx: Session, company: Company, viewer: Viewer, start: float) -> str:
    """What becomes of a wish: booked, asked for, refused or not even seen."""
    wish = BookingRequest(hour(company.now, start), resource_id=company.room.id)
    try:
        with tx.begin_nested():
            made = book(tx, company.portal, wish, viewer=viewer, now=company.now)
    except NotAllowed:
        return "refused"
    except NotFound:
        return "unseen"
    return "asked" if made.needs_approval else "booked"


def test_every_right_at_every_query(engine: Engine, company: Company) -> None:
    window = hour(company.now, -24, 96)
    wishes = {routes.NOBODY: "unseen", routes.BUSY: "refused", routes.SEE: "refused", routes.REQUEST: "asked"}
    with transaction(engine) as tx:
        for n, (name, viewer, level) in enumerate(viewers(tx, company)):
            portal_id, at = company.portal.id, company.now
            assert viewer.strength(company.room) == min(level, len(RIGHTS) - 1), name
            assert bool(queries.resources(tx, portal_id, viewer)) == (level >= routes.BUSY), name
            assert bool(board.offered(tx, portal_id, viewer, window).shown) == (level >= routes.BUSY), name
            found = agenda.search(tx, portal_id, viewer, str(company.ids["number"]), at, 5)
            assert bool(found) == (level >= routes.SEE), name
            assert may_book(tx, company, viewer, 40 + n) == wishes.get(level, "booked"), name
        for name, viewer, level in viewers(tx, company):
            rows = approval.waiting(tx, company.portal.id, viewer, company.now)
            assert bool(rows) == (level >= routes.APPROVE), name


def test_a_refusal_says_which_rule_who_may_and_whom_to_ask(app: Flask, company: Company) -> None:
    actor = ACTORS[2]
    headers = {"Authorization": f"Bearer {company.bearer(app, actor)}", "X-B24-Token": "his"}
    client = app.test_client()
    answer = client.post("/app/bookings", data=booking_form(company), headers=headers, base_url=BASE)
    assert answer.status_code == 403
    page = client.get(f"/app/why?resource={company.room.id}", headers=headers, base_url=BASE)
    for text in (answer.text, page.text):
        assert "see bookings (by the rule “Department: Студия, All resources”)" in text
        assert "an approver" in text or "who stands in for the approver" in text
    assert "Administrators of Bitrix24: everything, always" in page.text


def test_whoever_approves_decides_at_once_where_a_colleague_only_asks(engine: Engine, company: Company) -> None:
    grants = tuple(GrantRule("everything", f"U{n}", right) for n, right in enumerate(("request", "approve"), 50))
    asks, approves = (Viewer(50 + n, grants=grants[n : n + 1]) for n in range(2))
    with transaction(engine) as tx:
        assert [may_book(tx, company, one, 80 + n) for n, one in enumerate((asks, approves))] == ["asked", "booked"]
