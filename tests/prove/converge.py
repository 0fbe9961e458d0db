"""People at work in the portal and on our board at once, in bad weather; then quiet, and everything has to agree.

Everything is in one process and random only by its seed, so a failure replays. Nothing of ours is replaced: events come
through the application's own door, the worker's rounds are those of the worker, and it is "killed" by an exception at
a random request or at a random commit, which rolls back and frees what a killed process would.
"""

from __future__ import annotations

import os
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import requests
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from b24app.booking.attendance import check_in, complete_booking, mark_no_show, settle_due
from b24app.booking.change import Move, cancel_booking, confirm_booking, move_booking, reopen_booking
from b24app.booking.payments import MoneyData, record_payment
from b24app.booking.reserve import BookingRequest, book
from b24app.errors import AppError, Refused
from b24app.ledger import due, models, outbox, queries, refs, tenancy
from b24app.ledger.access import Viewer, codes_of, concerning
from b24app.ledger.models import Booking, ExternalRef, Grant, History, Portal, Resource, Service
from b24app.ledger.occupancy import as_interval
from b24app.ledger.portal_models import Delivery, Draft, RobotCall, Sighting
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import Tariff
from b24app.sync import owned
from b24app.sync.events import Events
from b24app.sync.in_step import keep_in_step
from b24app.sync.items import Items
from b24app.sync.laid import LaidCrm
from b24app.sync.pace import Pace
from b24app.sync.pieces import Piece
from b24app.sync.projection import Sections
from b24app.sync.reconcile import Visited
from b24app.sync.sweep import sweep
from b24app.sync.throttles import SharedThrottles
from b24app.sync.tokens import Reach, portal_client
from emulator import delivery, faults, people, people_calendar, placement
from emulator import event as portal_events
from emulator.errors import RestError
from emulator.state import AppCard
from emulator.transport import EmulatorAdapter
from tests import factories
from tests.prove.race import OVERLAPS
from tests.stand import ADMIN, EMPLOYEE, MANAGER, SECOND_ADMIN, SECOND_MANAGER, Stand
from tests.web.installed import run_installer

PEOPLE = (ADMIN, SECOND_ADMIN, MANAGER, SECOND_MANAGER, EMPLOYEE)
DEBUG = bool(os.environ.get("CONVERGE_DEBUG"))
EPISODE = (1, 9)  # so many deeds before everything has to be quiet
LATER_EPISODE, LATER = (1, 60), 100  # a company that has grown is swept and compared more seldom
RECENT = 25  # bookings that people have to do with
MOST_ROUNDS = 80
FINAL = ("completed", "cancelled", "expired", "no_show")


class Killed(BaseException):
    """The worker is dead. No code of ours catches it."""


class Wire(EmulatorAdapter):
    """The way to the portal, on which the worker may die: before a request gets there, or when its answer is back."""

    fatal: int | None = None
    acts_first = False

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        dies = self._dies()
        if dies and not self.acts_first:
            raise Killed
        answer = super().send(request, *args, **options)
        if dies:
            raise Killed
        return answer

    def _dies(self) -> bool:
        if self.fatal is None:
            return False
        self.fatal -= 1
        if self.fatal >= 0:
            return False
        self.fatal = None
        return True


@dataclass
class Deed:
    """What somebody did. `card`: the portal's object he did it to; `booking`: whose picture that is."""

    number: int
    at: datetime
    who: int
    where: str
    what: str
    booking: uuid.UUID | None = None
    card: tuple[str, int] | None = None
    told: str = ""

    def __str__(self) -> str:
        told = f"{self.who} {self.where} {self.what} {self.card} {self.booking} {self.told}"
        return f"{self.number}. {self.at:%d %H:%M} {told}"


@dataclass
class Trial:
    """One company, one seed."""

    stand: Stand
    seed: int
    deeds: list[Deed] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    episode: list[Deed] = field(default_factory=list)
    touched: set[uuid.UUID] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)  # events that were made private or deleted: they may end unseen
    commits_left: int | None = None
    card: AppCard = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.world, self.far = self.stand.world, self.stand.portal
        self.world.seed(self.seed)
        self.engine = self.stand.app.extensions["b24"].engine
        self.http: requests.Session = self.stand.app.extensions["b24"].http
        self.wire = Wire(self.stand.emulator)
        for prefix in list(self.http.adapters):
            if "." in prefix:
                self.http.mount(prefix, self.wire)
        self.reach = Reach(
            self.engine,
            self.http,
            SharedThrottles(self.engine, lambda: self.now, self.sleep, jitter=lambda: 0.5),
            lambda: self.now,
        )
        self.pace = Pace()
        event.listen(self.engine, "commit", self._on_commit)
        self._install()

    @property
    def now(self) -> datetime:
        return self.stand.now

    def _on_commit(self, _connection: Any) -> None:
        if self.commits_left is None:
            return
        self.commits_left -= 1
        if self.commits_left < 0:
            self.commits_left = None
            raise Killed

    # The company ----

    def _install(self) -> None:
        self.card = card = self.stand.add_card()
        run_installer(self.stand.open(card))
        assert placement.finish_install(self.far, self.far.users[ADMIN], card)
        self.stand.deliver()
        self.stand.open(card, SECOND_ADMIN)
        for user in (MANAGER, SECOND_MANAGER, EMPLOYEE):
            self.stand.open(card, user)
        with transaction(self.engine) as tx:
            portal = tx.scalars(select(Portal)).one()
            self.portal_id = portal.id
            tx.add(Grant(portal_id=portal.id, scope="everything", code=f"U{MANAGER}", right="manage"))
            rent = Tariff(name="Аренда", basis="hour", price=Decimal(1000))
            make = factories.make_resource
            self.resources = [
                make(tx, portal, now=self.now, name="Переговорная «Нева»"),
                make(tx, portal, now=self.now, name="Переговорная «Ока»", buffer_after=15),
                make(tx, portal, now=self.now, name="Проекторы", kind="equipment", units=3),
                make(tx, portal, now=self.now, name="Анна Седова", kind="specialist", portal_user_id=MANAGER),
            ]
            self._price(tx, portal, self.resources[0], rent)
        self.crm = LaidCrm.from_json(self._portal().crm)
        self.type_id = self.crm.need("bookings").entity_type_id
        self.resource_type = self.crm.need("resources").entity_type_id
        self.work(20)

    def _price(self, tx: Session, portal: Portal, resource: Resource, tariff: Tariff) -> None:
        row = models.Tariff(portal_id=portal.id, name=tariff.name, body=tariff.as_dict())
        tx.add(row)
        tx.flush()
        service = tx.scalars(select(Service).where(Service.resource_id == resource.id)).one()
        service.tariff_id = row.id

    def _portal(self) -> Portal:
        with transaction(self.engine) as tx:
            portal = tx.get(Portal, self.portal_id)
            assert portal is not None
            return portal

    def viewer(self, user: int) -> Viewer:
        codes = codes_of(user, ())
        with transaction(self.engine) as tx:
            grants = concerning(queries.grants(tx, self.portal_id, codes), codes)
        return Viewer(user, user in (ADMIN, SECOND_ADMIN), codes, grants)

    # Time and the worker ----

    def sleep(self, seconds: float) -> None:
        """Nobody waits for the portal's limits but the clock."""
        self.stand.now += timedelta(seconds=seconds)

    def pass_time(self, minutes: float) -> None:
        self.stand.now += timedelta(minutes=minutes)

    def work(self, rounds: int = 1) -> bool:
        """So many rounds of the worker, or until it has nothing to do; whether it had."""
        return all(keep_in_step(self.reach, self.portal_id, self.pace) for _ in range(rounds))

    def work_and_maybe_die(self) -> None:
        mortal = self.random.random()
        if mortal < 0.2:
            self.wire.fatal, self.wire.acts_first = self.random.randrange(4), self.random.random() < 0.6
        elif mortal < 0.35:
            self.commits_left = self.random.randrange(12)
        try:
            self.work(self.random.randint(1, 3))
        except Killed:
            self.counts["killed"] += 1
            self.pace = Pace()
        finally:
            self.wire.fatal = self.commits_left = None

    def clock_decides(self) -> None:
        """What the worker's clock does: terms that have passed, bookings that are over."""
        with transaction(self.engine) as tx:
            over = due.due_bookings(tx, self.now, 200)
        for _, booking_id in over:
            self.touched.add(booking_id)
            with suppress(AppError), transaction(self.engine) as tx:
                portal = tx.get(Portal, self.portal_id)
                assert portal is not None
                settle_due(tx, portal, booking_id, self.now)

    # Weather ----

    def weather(self) -> None:
        """Something goes wrong, or nothing."""
        faults.calm(self.world)
        kind = self.random.choice(("fine", "fine", "storm", "outage", "lose", "double", "hold"))
        self.counts[kind] += 1
        if kind == "storm":
            faults.storm(self.world, lost=0.15, refused=0.1, cut=0.1, busy=0.05)
        elif kind == "outage":
            faults.outage(self.world, self.random.randint(1, 6))
        elif kind == "lose":
            self.world.knobs.change({"event_loss": 0.5})
        elif kind == "double":
            self.world.knobs.change({"event_double": 0.5, "event_shuffle": True})
        elif kind == "hold":
            self.world.knobs.change({"event_hold": 0.5})

    def calm(self) -> None:
        faults.calm(self.world)
        self.world.knobs.change({"event_loss": 0.0, "event_double": 0.0, "event_hold": 0.0, "event_shuffle": False})
        delivery.release(self.world)

    def admin_comes(self) -> None:
        """Workers have died renewing pairs until none was left: everything waits for an administrator."""
        with transaction(self.engine) as tx:
            alone = not tenancy.living_pairs(tx, self.portal_id)
        if alone:
            assert self.stand.open(self.card, ADMIN).page.status_code == 200
            self.counts["admin came"] += 1

    def quiet(self) -> None:
        """No weather, no deeds: until nothing waits. Then one sweep, and again."""
        self.calm()
        self._settle()
        assert sweep(self.reach, self.portal_id, "cli") is not None, "the sweep did not come to its end"
        self._settle()

    def _settle(self) -> None:
        for turn in range(MOST_ROUNDS):
            if DEBUG:
                print("settle", turn, self.now, self.waiting()[:4], flush=True)
            portal_events.deliver_due(self.world, everything=True)
            self.clock_decides()
            self.admin_comes()
            while self.work():
                pass
            if not self.waiting():
                return
            self.pass_time(7)
        raise AssertionError(f"no quiet: {self.waiting()}\n{self.story()}")

    def waiting(self) -> list[str]:
        with transaction(self.engine) as tx:
            dirty = tx.scalars(
                select(ExternalRef).where(ExternalRef.dirty_since.is_not(None), ExternalRef.parked_reason.is_(None))
            ).all()
            owed = tx.scalars(select(Delivery).where(Delivery.outcome.is_(None), Delivery.due_at <= self.now)).all()
            hints = tx.scalars(select(Sighting)).all()
            calls = tx.scalars(select(RobotCall).where(RobotCall.sent_at.is_(None), RobotCall.failed.is_(None))).all()
            return [
                *(f"ref {r.kind} {r.target} {r.booking_id or r.resource_id} attempts {r.attempts}" for r in dirty),
                *(f"delivery {d.kind} {d.code} {d.key} attempts {d.attempts}" for d in owed),
                *(f"sighting {s.kind} {s.remote_id} attempts {s.attempts}" for s in hints),
                *(f"robot {c.code}" for c in calls),
                *(f"event {row}" for row in delivery.waiting(self.world)),
            ]

    # Deeds ----

    def deed(self, who: int, where: str, what: str, **known: Any) -> Deed:
        made = Deed(len(self.deeds) + 1, self.now, who, where, what, **known)
        self.deeds.append(made)
        self.episode.append(made)
        self.counts[f"{where} {what}"] += 1
        return made

    def run(self, count: int) -> None:
        """So many deeds, in episodes, each followed by quiet and by the comparison."""
        while len(self.deeds) < count:
            self.episode, self.touched = [], set()
            for _ in range(self.random.randint(*(EPISODE if len(self.deeds) < LATER else LATER_EPISODE))):
                self.weather()
                before = len(self.deeds)
                for _attempt in range(20):
                    self.random.choice(DEEDS)(self)
                    if len(self.deeds) > before:
                        break
                if self.random.random() < 0.7:
                    portal_events.deliver_due(self.world, everything=self.random.random() < 0.5)
                if self.random.random() < 0.7:
                    self.work_and_maybe_die()
                self.pass_time(self.random.choice((0, 0, 1, 5, 30)))
            self.quiet()
            self.check()
            self.pass_time(1)

    def recent(self, *stages: str) -> list[Booking]:
        """The newest bookings in these stages, or in any, the oldest of them first."""
        with transaction(self.engine) as tx:
            query = select(Booking).order_by(Booking.number.desc()).limit(RECENT)
            return list(tx.scalars(query.where(Booking.stage.in_(stages)) if stages else query))[::-1]

    def some_booking(self, *stages: str) -> Booking | None:
        found = self.recent(*stages)
        return self.random.choice(found) if found else None

    def some_time(self) -> Interval:
        """Some whole half-hours of the next days."""
        day = self.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=self.random.randint(2, 60))
        start = day + timedelta(minutes=30 * self.random.randint(0, 1))
        return Interval(start, start + timedelta(minutes=30 * self.random.randint(1, 4)))

    def item_of(self, booking: Booking) -> dict[str, Any] | None:
        """Its living card in the portal."""
        rows = self.far.items.get(self.type_id, {}).values()
        return next((row for row in rows if row["xmlId"] == str(booking.id)), None)

    def story(self) -> str:
        told = "\n".join(str(deed) for deed in self.deeds[-12:])
        return f"seed {self.seed}, {len(self.deeds)} deeds; the last ones:\n{told}"

    # Comparison ----

    def check(self) -> None:
        """Everything agrees, nothing is double, and everybody was answered."""
        wrong = [*self._pictures(), *self._strangers(), *self._doubles(), *self._answers()]
        assert not wrong, "\n".join([*wrong, self.story()])

    def _pictures(self) -> list[str]:
        """Field by field: what stands there is what would be drawn now."""
        wrong: list[str] = []
        client = portal_client(self.reach, self.portal_id)
        visited = Visited.of(self.reach, self._portal())
        with transaction(self.engine) as tx:
            known = list(tx.scalars(select(ExternalRef).where(ExternalRef.kind.in_(("item", "event")))))
            subjects = outbox.subjects(tx, self.portal_id, known)
            portal = tx.get(Portal, self.portal_id)
            assert portal is not None
            targets = {key: refs.event_targets(portal, row.resources) for key, row in subjects.bookings.items()}
        sections = Sections(self.reach, portal)
        events = Events(client, visited.place, sections, subjects, targets)
        items = {
            True: Items(client, visited.place, self.crm.need("bookings"), subjects),
            False: Items(client, visited.place, self.crm.need("resources"), subjects),
        }
        events.prepare([], self.now)
        for ref in known:
            if ref.parked_reason is not None:
                wrong += self._parked(ref)
                continue
            drawn = (events if ref.kind == "event" else items[ref.booking_id is not None]).piece(ref, self.now)
            wrong += self._compared(ref, drawn)
        return wrong

    def _parked(self, ref: ExternalRef) -> list[str]:
        if ref.parked_reason == "event_unseen" and ref.remote_id in self.hidden:
            return []
        again = [one for one in self.deeds if one.where == "portal" and self._is_of(one, ref)]
        alike = Counter((one.what, one.told.rpartition(" → ")[2]) for one in again)  # from wherever it was asked for
        if ref.parked_reason == "contested" and max(alike.values(), default=0) > 1:
            return []  # somebody has asked for the same twice
        return [f"parked {ref.kind} {ref.target} {ref.booking_id or ref.resource_id}: {ref.parked_reason}"]

    @staticmethod
    def _is_of(deed: Deed, ref: ExternalRef) -> bool:
        """Whether it was done to this very picture."""
        if ref.booking_id is None:
            return deed.card == ("resource", ref.remote_id)
        return deed.booking == ref.booking_id and deed.card is not None and deed.card[0] == ref.kind

    def _compared(self, ref: ExternalRef, wanted: Any) -> list[str]:
        name = f"{ref.kind} {ref.target} of {ref.booking_id or ref.resource_id} (there {ref.remote_id})"
        if not isinstance(wanted, Piece) or wanted.command.method == "calendar.event.delete":
            return [f"{name}: stands and should not"] if self._there(ref) is not None else []
        there = self._there(ref)
        if there is None:
            return [f"{name}: is missing"]
        changed = owned.changes(wanted.drawn, there)
        return [f"{name}: {key} is {value!r}, not {wanted.drawn[key]!r}" for key, value in changed.items()]

    def _there(self, ref: ExternalRef) -> dict[str, Any] | None:
        if ref.remote_id is None:
            return None
        if ref.kind == "event":
            row = self.far.events.get(ref.remote_id)
            return _event(row) if row and not row.get("deleted") else None
        type_id = self.type_id if ref.booking_id else self.resource_type
        item = self.far.items.get(type_id, {}).get(ref.remote_id)
        if item is None:
            return None
        return owned.of_item(self.crm, item) if ref.booking_id else owned.of_resource(self.crm, item)

    def _strangers(self) -> list[str]:
        """Cards that nobody accounts for, marks that stand twice."""
        wrong: list[str] = []
        with transaction(self.engine) as tx:
            of_bookings = (ExternalRef.kind == "item", ExternalRef.booking_id.is_not(None))
            ours = set(tx.scalars(select(ExternalRef.remote_id).where(*of_bookings)))
            drafts = set(tx.scalars(select(Draft.remote_id)))
            shown = set(tx.scalars(select(ExternalRef.remote_id).where(ExternalRef.kind == "event")))
        for item_id, item in self.far.items.get(self.type_id, {}).items():
            if item_id not in ours | drafts:
                wrong.append(f"card {item_id} «{item['title']}» is nobody's: {item}")
        # One that came back from the bin after another was made is a copy, and is left alone as such.
        cards = self.far.items.get(self.type_id, {})
        marks = Counter(item["xmlId"] for number, item in cards.items() if item["xmlId"] and number not in drafts)
        wrong += [f"{count} cards with the mark {mark}" for mark, count in marks.items() if count > 1]
        for row in self.far.events.values():
            if (
                "booking:" in row["description"]
                and row["id"] == row.get("parent_id", row["id"])
                and row["id"] not in shown
            ):
                wrong.append(f"event {row['id']} is nobody's: {row['name']}")
        return wrong

    def _doubles(self) -> list[str]:
        """No comment, notice, trigger or overlap twice."""
        wrong: list[str] = []
        texts = Counter((row["ENTITY_TYPE"], row["ENTITY_ID"], row["COMMENT"]) for row in self.far.comments.values())
        wrong += [f"{count} times the comment {key}" for key, count in texts.items() if count > 1]
        with self.engine.connect() as connection:
            overlaps = connection.execute(OVERLAPS).scalar_one()
        if overlaps:
            wrong.append(f"{overlaps} overlaps")
        return wrong

    def _answers(self) -> list[str]:
        """Who did something alone has it in the history under his name, or exactly one reason."""
        by_object: dict[Any, list[Deed]] = defaultdict(list)
        for deed in self.episode:
            by_object[deed.booking or deed.card].append(deed)
        wrong: list[str] = []
        for key, deeds in by_object.items():
            if key is None or len(deeds) != 1 or deeds[0].where != "portal" or not deeds[0].told:
                continue
            if deeds[0].booking is not None and deeds[0].booking in self.touched:
                continue
            wrong += self._answered(deeds[0])
        return wrong

    def _answered(self, deed: Deed) -> list[str]:
        with transaction(self.engine) as tx:
            mine = [
                row
                for row in tx.scalars(select(History).where(History.at >= deed.at, History.actor == f"user:{deed.who}"))
                if deed.booking is None or row.booking_id == deed.booking
            ]
            reasons = tx.scalars(
                select(Delivery).where(Delivery.kind == "comment", Delivery.key.like("refusal:%"))
            ).all()
            reasons = [one for one in reasons if self._concerns(one, deed)]
        if not mine and not reasons and self._is_parked(deed):
            self.counts["parked"] += 1  # the same was refused before, and its reason stands there
            return []
        if bool(mine) == bool(reasons) or len(reasons) > 1:
            told = [(row.action, row.at) for row in mine], [(one.code, one.key) for one in reasons]
            return [f"answered wrongly: {deed}: history and reasons: {told}", *self._about(deed)]
        self.counts["accepted" if mine else "refused"] += 1
        return []

    def _is_parked(self, deed: Deed) -> bool:
        with transaction(self.engine) as tx:
            known = tx.scalars(select(ExternalRef).where(ExternalRef.booking_id == deed.booking)).all()
            return any(one.parked_reason == "contested" for one in known)

    def _about(self, deed: Deed) -> list[str]:
        """What is known of that booking, to understand a failure."""
        with transaction(self.engine) as tx:
            changes = tx.scalars(
                select(History).where(History.booking_id == deed.booking).order_by(History.number)
            ).all()
            owed = tx.scalars(select(Delivery).where(Delivery.booking_id == deed.booking)).all()
            known = tx.scalars(select(ExternalRef).where(ExternalRef.booking_id == deed.booking)).all()
            return [
                *(
                    f"  history {one.at:%d %H:%M:%S} {one.actor} {one.action} {one.before} → {one.after}"
                    for one in changes
                ),
                *(f"  {one.kind} {one.code} {one.key} due {one.due_at:%d %H:%M:%S} {one.outcome}" for one in owed),
                *(f"  ref {one.kind} {one.remote_id} {one.drawn} refused {one.refused}" for one in known),
                *(
                    f"  card {row}"
                    for row in self.far.items[self.type_id].values()
                    if row["xmlId"] == str(deed.booking)
                ),
            ]

    def _concerns(self, one: Delivery, deed: Deed) -> bool:
        since = one.due_at >= deed.at
        return since and (one.booking_id == deed.booking if deed.booking else one.item_id == (deed.card or ("", 0))[1])


def _event(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "start": int(row["start"]), "end": int(row["end"]), "type": row["type"], "owner": row["owner"] or 0,
        "section": row["section"], "busy": row["accessibility"] == "busy",
    }  # fmt: skip


# Deeds on the board ----


def _try(trial: Trial, who: int, what: str, act: Callable[[Session, Portal, Viewer], Booking | None]) -> None:
    viewer = trial.viewer(who)
    with suppress(Refused), transaction(trial.engine) as tx:
        portal = tx.get(Portal, trial.portal_id)
        assert portal is not None
        done = act(tx, portal, viewer)
        trial.deed(who, "board", what, booking=done.id if done else None)


def board_book(trial: Trial) -> None:
    who, resource = trial.random.choice(PEOPLE), trial.random.choice(trial.resources)
    source = trial.random.choice(("manager", "manager", "import"))
    request = BookingRequest(
        trial.some_time(), resource_id=resource.id, source=source, title=trial.random.choice(("", "$result[x][id]")),
        responsible_id=trial.random.choice(PEOPLE), intent=trial.random.choice(("policy", "hold")),
    )  # fmt: skip
    _try(trial, who, "book", lambda tx, portal, viewer: book(tx, portal, request, viewer=viewer, now=trial.now))


def _board(what: str, act: Callable[..., Booking], *stages: str, **more: Any) -> Callable[[Trial], None]:
    def do(trial: Trial) -> None:
        found = trial.some_booking(*stages)
        if found is None:
            return
        _try(
            trial, trial.random.choice(PEOPLE[:3]), what,
            lambda tx, portal, viewer: act(
                tx, portal, found.id, revision=found.revision, viewer=viewer, now=trial.now, **more
            ),
        )  # fmt: skip

    return do


def board_move(trial: Trial) -> None:
    found = trial.some_booking("prebooked", "confirmed")
    if found is None:
        return
    move = Move(trial.some_time(), trial.random.choice(trial.resources).id)
    _try(
        trial, ADMIN, "move",
        lambda tx, portal, viewer: move_booking(
            tx, portal, found.id, move, revision=found.revision, viewer=viewer, now=trial.now
        ),
    )  # fmt: skip


def board_pay(trial: Trial) -> None:
    found = trial.some_booking("prebooked", "confirmed")
    if found is None:
        return
    data = MoneyData("payment", Decimal(500), "cash", trial.now.date(), "", None)
    _try(
        trial, MANAGER, "pay",
        lambda tx, portal, viewer: record_payment(
            tx, portal, found.id, data, viewer=viewer, now=trial.now
        ),
    )  # fmt: skip


# Deeds in the portal ----


def _in_portal(trial: Trial, who: int, what: str, act: Callable[[], Any], *, told: str = "asked", **known: Any) -> None:
    """`told`: empty for what needs no answer."""
    with suppress(RestError):
        act()
        trial.deed(who, "portal", what, told=told, **known)


def _card(trial: Trial, *stages: str) -> tuple[Booking, dict[str, Any]] | None:
    booking = trial.some_booking(*stages)
    item = trial.item_of(booking) if booking else None
    return (booking, item) if booking and item else None


def move_card(trial: Trial) -> None:
    found = _card(trial)
    if found is None:
        return
    booking, item = found
    stage = trial.random.choice([one for one in trial.crm.stages.values() if one != item["stageId"]])
    who = trial.random.choice(PEOPLE)
    _in_portal(
        trial, who, "card", lambda: people.move_card(trial.far, who, trial.type_id, item["id"], stage),
        booking=booking.id, card=("item", item["id"]), told=f"{item['stageId']} → {stage}",
    )  # fmt: skip


def edit_time(trial: Trial) -> None:
    found = _card(trial, "prebooked", "confirmed")
    if found is None:
        return
    booking, item = found
    names, when, who = trial.crm.need("bookings").fields, trial.some_time(), trial.random.choice(PEOPLE)
    fields = {names["start_at"]: when.start.isoformat(), names["end_at"]: when.end.isoformat()}
    _in_portal(
        trial, who, "time", lambda: people.edit_item(trial.far, who, trial.type_id, item["id"], fields),
        booking=booking.id, card=("item", item["id"]), told=_asks(booking, when),
    )  # fmt: skip


def _asks(booking: Booking, when: Interval) -> str:
    """What an edit of the time asks for; nothing where it stands there already."""
    return "" if as_interval(booking.during) == when else f"{when.start:%d %H:%M}–{when.end:%H:%M}"


def rename_card(trial: Trial) -> None:
    found = _card(trial)
    if found is None:
        return
    booking, item = found
    who = trial.random.choice(PEOPLE)
    title = f"Название {len(trial.deeds)}"
    _in_portal(
        trial, who, "title", lambda: people.edit_item(trial.far, who, trial.type_id, item["id"], {"title": title}),
        booking=booking.id, card=("item", item["id"]), told="",
    )  # fmt: skip


def delete_card(trial: Trial) -> None:
    found = _card(trial)
    if found is None:
        return
    booking, item = found
    who = trial.random.choice(PEOPLE)
    # A lost event leaves nobody who did it, so nobody is looked for.
    sure = trial.world.knobs.event_loss == 0
    _in_portal(
        trial, who, "delete", lambda: people.delete_item(trial.far, who, trial.type_id, item["id"]),
        booking=booking.id, card=("item", item["id"]), told="deleted" if sure and booking.stage not in FINAL else "",
    )  # fmt: skip


def restore_card(trial: Trial) -> None:
    rows = people.bin_rows(trial.far, trial.type_id)
    if rows:
        row, who = trial.random.choice(rows), trial.random.choice(PEOPLE)
        mark = trial.far.bin[row["id"]]["item"]["xmlId"]
        _in_portal(
            trial, who, "restore", lambda: people.restore_item(trial.far, who, trial.type_id, row["itemId"]),
            card=("item", row["itemId"]), booking=_uuid(mark), told="",
        )  # fmt: skip


def _uuid(mark: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(mark or "")
    except ValueError:
        return None


def _new_card(trial: Trial, *, whole: bool) -> dict[str, Any]:
    names, when = trial.crm.need("bookings").fields, trial.some_time()
    fields: dict[str, Any] = {"title": f"Вручную {len(trial.deeds)}", names["start_at"]: when.start.isoformat()}
    if whole:
        rows = [row for row in trial.far.items.get(trial.resource_type, {}).values() if row["xmlId"]]
        resource = trial.random.choice(rows)
        fields |= {
            names["end_at"]: when.end.isoformat(),
            names["resource"]: [f"T{trial.resource_type:x}_{resource['id']}"],
        }
    return fields


def add_card(trial: Trial) -> None:
    who, whole = trial.random.choice(PEOPLE), trial.random.random() < 0.7
    fields = _new_card(trial, whole=whole)
    _in_portal(trial, who, "add", lambda: people.add_item(trial.far, who, trial.type_id, fields), told="")


def import_cards(trial: Trial) -> None:
    rows = [_new_card(trial, whole=True) for _ in range(trial.random.randint(1, 4))]
    trial.world.knobs.change({"import_silent": trial.random.random() < 0.5})
    _in_portal(trial, ADMIN, "import", lambda: people.import_items(trial.far, ADMIN, trial.type_id, rows), told="")


def copy_card(trial: Trial) -> None:
    found = _card(trial)
    if found is None:
        return
    who = trial.random.choice(PEOPLE)
    _in_portal(
        trial, who, "copy", lambda: people.copy_item(trial.far, who, trial.type_id, found[1]["id"]), told=""
    )  # fmt: skip


def _event_of(trial: Trial, *stages: str) -> tuple[Booking, dict[str, Any]] | None:
    booking = trial.some_booking(*stages)
    if booking is None:
        return None
    with transaction(trial.engine) as tx:
        known = [ref.remote_id for ref in refs.of_booking(tx, trial.portal_id, booking.id) if ref.kind == "event"]
    rows = [trial.far.events[one] for one in known if one in trial.far.events]
    return (booking, trial.random.choice(rows)) if rows else None


def drag_event(trial: Trial) -> None:
    found = _event_of(trial, "prebooked", "confirmed")
    if found is None:
        return
    booking, row = found
    who = MANAGER if row["owner"] == MANAGER else trial.random.choice((ADMIN, SECOND_ADMIN))
    when = trial.some_time()
    sure = trial.world.knobs.event_loss == 0
    _in_portal(
        trial, who, "drag", lambda: people_calendar.drag_event(trial.far, who, row["id"], when.start, when.end),
        booking=booking.id, card=("event", row["id"]), told=_asks(booking, when) if sure else "",
    )  # fmt: skip


def rename_event(trial: Trial) -> None:
    found = _event_of(trial)
    if found is not None:
        booking, row = found
        who = MANAGER if row["owner"] == MANAGER else ADMIN
        _in_portal(
            trial, who, "rename event",
            lambda: people_calendar.edit_event(trial.far, who, row["id"], name="Своё название"),
            booking=booking.id, card=("event", row["id"]), told="",
        )  # fmt: skip


def delete_event(trial: Trial) -> None:
    found = _event_of(trial, "prebooked", "confirmed")
    if found is None:
        return
    booking, row = found
    who = MANAGER if row["owner"] == MANAGER else ADMIN
    trial.hidden.add(row["id"])
    _in_portal(
        trial, who, "delete event", lambda: people_calendar.delete_event(trial.far, who, row["id"]),
        booking=booking.id, card=("event", row["id"]), told="",
    )  # fmt: skip


def edit_resource(trial: Trial) -> None:
    rows = [row for row in trial.far.items.get(trial.resource_type, {}).values() if row["xmlId"]]
    if not rows:
        return
    row, who = trial.random.choice(rows), trial.random.choice(PEOPLE)
    names = trial.crm.need("resources").fields
    change: Sequence[dict[str, Any]] = (
        {names["city"]: trial.random.choice(("Москва", "Тверь", "Казань"))},
        {names["address"]: f"Дом {trial.random.randint(1, 99)}"},
        {"title": f"{row['title'].partition(' · ')[0]} · {trial.random.randint(1, 99)}"},
    )
    fields = trial.random.choice(change)
    what = f"resource {' '.join(fields.values())}"
    _in_portal(
        trial, who, what, lambda: people.edit_item(trial.far, who, trial.resource_type, row["id"], fields),
        card=("resource", row["id"]), told="",
    )  # fmt: skip


DEEDS: tuple[Callable[[Trial], None], ...] = (
    board_book, board_book, board_book, board_move, board_pay,
    _board("confirm", confirm_booking, "prebooked"),
    _board("cancel", cancel_booking, "prebooked", "confirmed"),
    _board("reopen", reopen_booking, "cancelled", "expired"),
    _board("check in", check_in, "confirmed"),
    _board("complete", complete_booking, "confirmed"),
    _board("no-show", mark_no_show, "confirmed"),
    move_card, move_card, move_card, edit_time, edit_time, rename_card, delete_card, restore_card, add_card, add_card,
    import_cards, copy_card, drag_event, drag_event, rename_event, delete_event, edit_resource,
)  # fmt: skip


def begin(app: Flask, now: datetime, seed: int) -> Trial:
    """A company in an installed portal, everything in step."""
    trial = Trial(Stand(app, now.astimezone(UTC)), seed)
    trial.quiet()
    trial.check()
    return trial
