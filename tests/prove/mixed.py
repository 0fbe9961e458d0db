"""Sixteen processes that do everything at once to the same few resources, through the use cases themselves.

Slots are hours of resources, worked off in chunks. In the first half of a chunk every process does what comes to its
mind: books, holds, asks, pays, confirms, moves, cancels, lets expire, plans series, fills fragmented pools. In the
second half several of them book each slot of the chunk at once, so that it must end with exactly as many holders as it
has units.
"""

from __future__ import annotations

import multiprocessing
import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing.synchronize import Barrier
from typing import Any

from psycopg.errors import DeadlockDetected
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from b24app.booking.attendance import settle_due
from b24app.booking.change import Move, cancel_booking, confirm_booking, move_booking
from b24app.booking.payments import MoneyData, record_payment
from b24app.booking.reserve import BookingRequest, book
from b24app.booking.series import book_series, change_series
from b24app.errors import Refused
from b24app.ledger import occupancy, queries, secrets
from b24app.ledger.models import Booking, Portal
from b24app.ledger.occupancy import as_interval
from b24app.ledger.session import sqlalchemy_url, transaction
from b24app.scheduling.interval import Interval
from b24app.scheduling.pricing import Tariff
from b24app.scheduling.recurrence import Recurrence
from tests.factories import ADMIN, make_portal, make_resource, make_service

PROCESSES = 16
CHUNK_HOURS = 10
AT_ONE_SLOT = 3  # processes that book each slot of a chunk at the same time
ACTIONS = ("book", "move", "cancel", "confirm", "pay", "expire", "reseat", "series")
NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
FIRST_HOUR = NOW + timedelta(days=2)
AFTER_HOLDS = NOW + timedelta(hours=2)
BARRIER_SECONDS = 600
WIDEN = """
CREATE FUNCTION wait_a_little() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.003); RETURN NEW; END $$;
CREATE TRIGGER wait_a_little BEFORE INSERT ON allocation FOR EACH ROW EXECUTE FUNCTION wait_a_little();
"""
LOCK = "FOR NO KEY UPDATE"


Story = Callable[[Session, Portal], list[Booking]]
"""What happens in one transaction; returns what it has made or changed."""


@dataclass(frozen=True)
class World:
    """What there is to fight for: resources by name, services by name, and how many units each contested one has."""

    portal_id: int
    resources: dict[str, int]
    services: dict[str, int]
    contested: dict[str, int]


def furnish(engine: Engine) -> World:
    """Rooms, pools, a composite, specialists, services under every winner rule; the window of each race is widened."""
    with engine.begin() as connection:
        connection.exec_driver_sql(WIDEN)
    with transaction(engine) as tx:
        portal = make_portal(tx, level="A", calendar={})
        common: dict[str, Any] = {"now": NOW, "horizon_days": 3650, "step_minutes": 60, "min_minutes": 60}
        made = {name: make_resource(tx, portal, **common) for name in ("R1", "R2", "R3", "R4", "A1", "A2")}
        made["P"] = make_resource(tx, portal, kind="equipment", units=3, **common)
        made |= {f"Q{n}": make_resource(tx, portal, kind="equipment", units=2, **common) for n in range(4)}
        made["A"] = make_resource(tx, portal, kind="hall", parts=(made["A1"].id, made["A2"].id), **common)
        made |= {name: make_resource(tx, portal, kind="specialist", **common) for name in ("S1", "S2")}
        rooms = [made[name] for name in ("R1", "R2", "R3", "R4")]
        hourly = Tariff("Час", "hour", Decimal(100))
        longest: dict[str, Any] = {"step_minutes": 60, "horizon_days": 3650}
        services = {
            "hold": make_service(tx, portal, (rooms[:2], 1), rules={"hold_minutes": 60}, **longest),
            "pay": make_service(tx, portal, (rooms[2:], 1), rules={"winner": "payment"}, tariff=hourly, **longest),
            "ask": make_service(tx, portal, (rooms[2:], 1), rules={"winner": "manager"}, **longest),
            "trio": make_service(tx, portal, ("specialist", 1), (rooms, 1), (made["P"], 1), **longest),
        }
        return World(
            portal.id,
            {name: one.id for name, one in made.items()},
            {name: one.id for name, one in services.items()},
            {"R1": 1, "R2": 1, "R3": 1, "R4": 1, "A1": 1, "A2": 1, "S1": 1, "S2": 1, "P": 3},
        )


@dataclass
class Seen:
    """What one process did and saw. `left`: every booking with its last state that was returned to this process."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    deadlocks: int = 0
    left: dict[uuid.UUID, tuple[int, str, bool]] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """What a process needs to know."""

    url: str
    token_key: str
    world: World
    chunks: int
    actions: int
    seed: int
    without_lock: bool


def without_lock(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_more: Any) -> tuple[str, Any]:
    """Takes the row lock on resources out of every statement, and leaves that on bookings."""
    is_lock = LOCK in sql and "FROM resource" in sql
    return (sql.replace(LOCK, "") if is_lock else sql), parameters


class Player:
    """One process."""

    def __init__(self, job: Job, number: int) -> None:
        self.job, self.number = job, number
        self.dice = random.Random(f"{job.seed}-{number}")
        self.seen = Seen()
        self.mine: list[uuid.UUID] = []
        self.reseated = 0
        self.engine = create_engine(
            sqlalchemy_url(job.url),
            pool_size=1,
            connect_args={"options": "-c timezone=UTC -c plan_cache_mode=force_custom_plan -c deadlock_timeout=200"},
        )
        if job.without_lock:
            event.listen(self.engine, "before_cursor_execute", without_lock, retval=True)
        self._count_reseating()

    def _count_reseating(self) -> None:
        seat = occupancy.reseat

        def counted(*args: Any, **more: Any) -> None:
            seat(*args, **more)
            self.reseated += 1

        occupancy.reseat = counted

    def play(self, chunk: int) -> None:
        """The first half of a chunk."""
        self.mine = []  # slots of earlier chunks are full and stay so
        for _ in range(self.job.actions):
            self._try(self.dice.choice(ACTIONS), chunk)

    def fill(self, chunk: int) -> None:
        """The second half: each slot is wanted by several at once, in the same order for all."""
        world = self.job.world
        wanted = [(n, name, hour) for n, (name, hour) in enumerate(slots(world, chunk))]
        random.Random(chunk).shuffle(wanted)
        for n, name, hour in wanted:
            if (n + self.number) % (PROCESSES // AT_ONE_SLOT) == 0:
                composite = name in ("A1", "A2") and self.dice.random() < 0.5
                # Of a composite and its part one may be had though the other is not, and of a pool another unit.
                for one in ("A", name) if composite else (name,) * world.contested[name]:
                    self._run("fill", self._bare(one, hour, 1))

    def _try(self, action: str, chunk: int) -> None:
        self._run(action, getattr(self, f"_{action}_at")(self._hour(chunk)))

    def _run(self, action: str, story: Story | None) -> list[Booking]:
        """One transaction; what it returned is remembered once it is committed."""
        if story is None:
            return []
        reseated = self.reseated
        try:
            with transaction(self.engine) as tx:
                made = story(tx, tx.get_one(Portal, self.job.world.portal_id))
                tx.flush()
                states = {one.id: self._state(tx, one) for one in made}
        except Refused as refused:
            self.reseated = reseated
            self.seen.refused[f"{action}: {type(refused).__name__}"] += 1
            return []
        except OperationalError as error:
            self.reseated = reseated
            if not isinstance(error.orig, DeadlockDetected):
                raise
            self.seen.deadlocks += 1
            return []
        self.seen.left |= states
        self.mine += [one.id for one in made]
        self.seen.done[action] += bool(made)
        return made

    def _state(self, tx: Session, booking: Booking) -> tuple[int, str, bool]:
        held = tx.execute(
            text("SELECT EXISTS (SELECT FROM allocation WHERE booking_id = :id AND released_at IS NULL)"),
            {"id": booking.id},
        ).scalar_one()
        return booking.revision, str(booking.stage), bool(held)

    def _hour(self, chunk: int) -> datetime:
        return FIRST_HOUR + timedelta(hours=chunk * CHUNK_HOURS + self.dice.randrange(CHUNK_HOURS))

    def _bare(self, name: str, hour: datetime, hours: int) -> Story:
        wanted = Interval(hour, hour + timedelta(hours=hours))
        request = BookingRequest(wanted, resource_id=self.job.world.resources[name])
        return lambda tx, portal: [book(tx, portal, request, viewer=ADMIN, now=AFTER_HOLDS)]

    def _service(self, name: str, hour: datetime) -> Story:
        request = BookingRequest(Interval(hour, hour + timedelta(hours=1)), service_id=self.job.world.services[name])
        return lambda tx, portal: [book(tx, portal, request, viewer=ADMIN, now=NOW)]

    def _own(self, *stages: str, competing: bool | None = None) -> Booking | None:
        """One of the own bookings that stands like this; looked at without a lock, so it may change at any moment."""
        for one in self.dice.sample(self.mine, min(8, len(self.mine))):
            with transaction(self.engine) as tx:
                found = queries.booking_state(tx, self.job.world.portal_id, one)
                if found.stage in stages and (competing is None or found.competes == competing):
                    return found
        return None

    def _cancelled(self, booking: Booking) -> Story:
        return lambda tx, portal: [
            cancel_booking(tx, portal, booking.id, revision=booking.revision, viewer=ADMIN, now=NOW)
        ]

    def _book_at(self, hour: datetime) -> Story:
        name = self.dice.choice(["trio", "A", "Q0", *self.job.world.contested])
        return self._service("trio", hour) if name == "trio" else self._bare(name, hour, self.dice.choice((1, 1, 2, 3)))

    def _move_at(self, hour: datetime) -> Story | None:
        found = self._own("confirmed", "prebooked")
        if found is None:
            return None
        move = Move(Interval(hour, hour + as_interval(found.during).duration))
        return lambda tx, portal: [
            move_booking(tx, portal, found.id, move, revision=found.revision, viewer=ADMIN, now=NOW)
        ]

    def _cancel_at(self, _hour: datetime) -> Story | None:
        found = self._own("confirmed", "prebooked")
        return self._cancelled(found) if found else None

    def _confirm_at(self, hour: datetime) -> Story | None:
        made = self._run("ask", self._service("ask", hour))
        if not made:
            return None
        return lambda tx, portal: [
            confirm_booking(tx, portal, made[0].id, revision=made[0].revision, viewer=ADMIN, now=NOW)
        ]

    def _pay_at(self, hour: datetime) -> Story | None:
        made = self._run("ask", self._service("pay", hour))
        found = made[0] if made else self._own("prebooked", competing=True)
        if found is None:
            return None
        data = MoneyData("payment", Decimal(100), "cash", NOW.date())
        return lambda tx, portal: [record_payment(tx, portal, found.id, data, viewer=ADMIN, now=NOW)]

    def _expire_at(self, hour: datetime) -> Story | None:
        made = self._run("hold", self._service("hold", hour))
        if not made:
            return None

        def story(tx: Session, portal: Portal) -> list[Booking]:
            done = settle_due(tx, portal, made[0].id, AFTER_HOLDS)
            return [queries.booking_state(tx, portal.id, made[0].id)] if done else []

        return story

    def _reseat_at(self, hour: datetime) -> Story:
        """Fills a pool of two with four single hours, frees one on each unit, and wants both hours in one piece."""
        pool, corner = f"Q{self.number % 4}", self.number // 4 * 2
        hour += timedelta(hours=corner - (hour - FIRST_HOUR) // timedelta(hours=1) % CHUNK_HOURS)
        hours = (hour, hour, hour + timedelta(hours=1), hour + timedelta(hours=1))
        single = [self._run("book", self._bare(pool, one, 1)) for one in hours]
        for made in (single[0], single[3]):
            for one in made:
                self._run("cancel", self._cancelled(one))
        return self._bare(pool, hour, 2)

    def _series_at(self, hour: datetime) -> Story:
        name = self.dice.choice(["R1", "R2", "P", "A"])
        request = BookingRequest(Interval(hour, hour + timedelta(hours=1)), resource_id=self.job.world.resources[name])
        recurrence = Recurrence("daily", count=3)
        days = {(hour + timedelta(hours=3, days=n)).date() for n in range(3)}  # Moscow's dates
        if self.dice.random() < 0.4 and (found := self._own("confirmed")) and found.series_id:
            return lambda tx, portal: change_series(
                tx, portal, found.id, "following", None, revision=found.revision, viewer=ADMIN, now=NOW
            )
        return lambda tx, portal: book_series(tx, portal, request, recurrence, days, viewer=ADMIN, now=AFTER_HOLDS)


def slots(world: World, chunk: int) -> list[tuple[str, datetime]]:
    """The contested hours of a chunk."""
    first = FIRST_HOUR + timedelta(hours=chunk * CHUNK_HOURS)
    return [(name, first + timedelta(hours=n)) for n in range(CHUNK_HOURS) for name in world.contested]


def work(job: Job, number: int, together: Barrier, results: Any) -> None:
    """What a process does from its birth to its end."""
    try:
        secrets.install_keys([job.token_key])
        player = Player(job, number)
        for chunk in range(job.chunks):
            together.wait(BARRIER_SECONDS)
            player.play(chunk)
            together.wait(BARRIER_SECONDS)
            player.fill(chunk)
        player.engine.dispose()
        player.seen.done["reseat"] = player.reseated
        results.put(player.seen)
    except BaseException as error:
        together.abort()
        results.put(repr(error))
        raise


def run(job: Job) -> Seen:
    """All processes; what they have seen together."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    together, results = context.Barrier(PROCESSES), context.Queue()
    processes = [context.Process(target=work, args=(job, n, together, results)) for n in range(PROCESSES)]
    for process in processes:
        process.start()
    answers = [results.get() for _ in processes]
    for process in processes:
        process.join()
    failed = [one for one in answers if isinstance(one, str)]
    assert not failed, failed
    return _summed(answers)


def _summed(answers: list[Seen]) -> Seen:
    total = Seen()
    for one in answers:
        total.done += one.done
        total.refused += one.refused
        total.deadlocks += one.deadlocks
        for booking_id, state in one.left.items():
            total.left[booking_id] = max(state, total.left.get(booking_id, state))
    return total


OVERLAPS = text("""
SELECT count(*) FROM allocation a JOIN allocation b
    ON a.unit_id = b.unit_id AND a.id < b.id AND a.during && b.during
WHERE a.released_at IS NULL AND b.released_at IS NULL
""")
HOLDERS = text("""
SELECT count(*) FROM allocation a JOIN unit u ON u.id = a.unit_id
WHERE u.resource_id = :resource AND a.released_at IS NULL AND a.during && tstzrange(:start, :end)
""")
STATE = text("""
SELECT b.id, b.revision, b.stage,
       EXISTS (SELECT FROM allocation a WHERE a.booking_id = b.id AND a.released_at IS NULL) FROM booking b
""")


def overlaps(engine: Engine) -> int:
    """Pairs of living allocations that stand on one another, whatever the constraint says."""
    with engine.connect() as connection:
        return int(connection.execute(OVERLAPS).scalar_one())


def wrongly_filled(engine: Engine, world: World, chunks: int) -> list[tuple[str, datetime, int]]:
    """Contested slots with more or fewer holders than units."""
    wrong = []
    with engine.connect() as connection:
        for chunk in range(chunks):
            for name, hour in slots(world, chunk):
                values = {"resource": world.resources[name], "start": hour, "end": hour + timedelta(hours=1)}
                holders = int(connection.execute(HOLDERS, values).scalar_one())
                if holders != world.contested[name]:
                    wrong.append((name, hour, holders))
    return wrong


def lost(engine: Engine, seen: Seen) -> list[uuid.UUID]:
    """Bookings that were returned to somebody and are not there as they were, though nobody has changed them since."""
    with engine.connect() as connection:
        rows = {row[0]: (row[1], row[2], row[3]) for row in connection.execute(STATE)}
    return [one for one, state in seen.left.items() if one not in rows or _differs(rows[one], state)]


def _differs(now: tuple[int, str, bool], then: tuple[int, str, bool]) -> bool:
    return now[0] < then[0] or (now[0] == then[0] and now != then)
