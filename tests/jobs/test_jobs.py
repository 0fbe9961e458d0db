"""What happens without a browser: jobs run, wait, are rescued and forgotten."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from b24app.booking.attendance import settle_due
from b24app.errors import NotFound, Stale
from b24app.jobs import periodic
from b24app.jobs.app import Tools, app
from b24app.jobs.worker import run_worker
from b24app.ledger import outbox, queue, refs, tenancy
from b24app.ledger.models import Booking, Portal
from b24app.ledger.session import Engine, Session, transaction
from tests.jobs.conftest import Made
from tests.sync.expect import assert_shown, refs_of
from tests.sync.rig import Clock, Company, Rig

DRAIN = {"task": refs.DRAIN, "lock": "portal:1", "once": "drain:1"}


def jobs(engine: Engine) -> list[tuple[str, str]]:
    """Task and state of every job, in order."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT task_name, status::text FROM procrastinate_jobs ORDER BY id"))
        return [(task, status) for task, status in rows]


def clear(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM procrastinate_jobs"))


def job(engine: Engine, status: str, *, silent: float | None = None, **values: str) -> None:
    """A drain of portal 1 in this state; `silent`: seconds since its worker gave a sign of life, None for no worker."""
    with engine.begin() as connection:
        worker_id = None
        if silent is not None:
            worker_id = connection.execute(
                text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :s))"
                     " RETURNING id"), {"s": silent},
            ).scalar_one()  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status, worker_id)"
                " VALUES ('default', :task, :lock, :once, '{\"portal_id\": 1}',"
                " CAST(:status AS procrastinate_job_status), :worker_id)"
            ),
            {**DRAIN, **values, "status": status, "worker_id": worker_id},
        )


def test_committed_booking_is_drawn_by_a_worker(company: Company, made: Made) -> None:
    clear(made.engine)
    first, second = company.book(company.room), company.book(company.person)
    assert jobs(made.engine) == [(refs.DRAIN, "todo")], "the waiting one serves both"
    run_worker(made, once=True)
    assert_shown(company.rig, first.id)
    assert_shown(company.rig, second.id)
    assert jobs(made.engine) == []


def test_booking_that_is_rolled_back_leaves_no_job(company: Company, made: Made) -> None:
    clear(made.engine)
    with made.engine.connect() as connection:
        refs.wake(Session(connection), company.rig.portal_id)
        connection.rollback()
    assert jobs(made.engine) == []


def test_every_name_that_is_deferred_is_a_task() -> None:
    assert {refs.DRAIN, "jobs.look_after", "jobs.prune"} <= set(app.tasks)


@pytest.mark.parametrize(
    ("silent", "waiting", "expected"),
    [
        (60, False, ["todo"]),
        (None, False, ["todo"]),
        (60, True, ["failed", "todo"]),
        (1, False, ["doing"]),
        (1, True, ["doing", "todo"]),
    ],
)
def test_jobs_of_dead_workers_are_rescued(
    engine: Engine, tools: Tools, silent: float | None, waiting: bool, expected: list[str]
) -> None:
    clear(engine)
    job(engine, "doing", silent=silent)
    if waiting:
        job(engine, "todo")
    periodic.rescue(tools)
    assert [status for _, status in jobs(engine)] == expected


def test_two_dead_jobs_that_cannot_both_wait(engine: Engine, tools: Tools) -> None:
    clear(engine)
    job(engine, "doing", silent=60, lock="one")
    job(engine, "doing", silent=60, lock="two")
    periodic.rescue(tools)
    assert [status for _, status in jobs(engine)] == ["todo", "failed"]


def test_worker_that_starts_takes_over_from_a_dead_one(company: Company, made: Made) -> None:
    booking = company.book(company.room)
    clear(made.engine)
    job(made.engine, "doing", silent=60, lock=f"portal:{company.rig.portal_id}")
    run_worker(made, once=True)
    assert_shown(company.rig, booking.id)


def test_portal_is_woken_when_its_time_has_come(company: Company, tools: Tools, clock: Clock) -> None:
    booking = company.book(company.room)
    with transaction(tools.engine) as tx:
        outbox.postpone(tx, company.rig.portal_id, None, clock() + timedelta(seconds=60))
    clear(tools.engine)
    periodic.wake_portals(tools)
    assert jobs(tools.engine) == []
    clock.forward(61)
    for _ in range(2):
        periodic.wake_portals(tools)
    assert jobs(tools.engine) == [(refs.DRAIN, "todo")]
    company.rig.drain()
    assert_shown(company.rig, booking.id)
    clear(tools.engine)
    periodic.wake_portals(tools)
    assert jobs(tools.engine) == []


def test_parked_picture_wakes_nobody(company: Company, tools: Tools) -> None:
    booking = company.book(company.room)
    company.rig.drain()
    with transaction(tools.engine) as tx:
        refs.mark_behind(tx, company.rig.portal_id, [booking.id], tools.clock())
    with transaction(tools.engine) as tx:
        for ref in refs_of(company.rig, booking.id).values():
            outbox.record(tx, ref, outbox.Parked("ACCESS_DENIED"), tools.clock())
    clear(tools.engine)
    periodic.wake_portals(tools)
    assert jobs(tools.engine) == []


def test_tenant_is_erased_when_his_time_is_over(company: Company, tools: Tools, clock: Clock) -> None:
    company.book(company.room)
    with transaction(tools.engine) as tx:
        tenant = tenancy.tenant(tx, company.rig.portal_id)
        assert tenant is not None
        tenancy.end_installation(tx, tenant.installation, clock())
        tenant.portal.erase_after = clock() + timedelta(days=30)
    periodic.erase_tenants(tools)
    assert count(tools.engine, Portal) == 1
    clock.forward(31 * 86400)
    periodic.erase_tenants(tools)
    assert (count(tools.engine, Portal), count(tools.engine, Booking)) == (0, 0)


def count(engine: Engine, table: Any) -> int:
    with transaction(engine) as tx:
        return tx.query(table).count()


def test_installation_that_has_a_pair_again_waits_for_nobody(company: Company, made: Made) -> None:
    """A frame brought the pair between a worker's look and its note that there is none."""
    rig = company.rig
    booking = company.book(company.room)
    with transaction(rig.engine) as tx:
        tenancy.lost_all_pairs(tx, rig.portal_id)
    clear(rig.engine)
    with transaction(rig.engine) as tx:
        queue.defer(tx, "jobs.look_after", timestamp=0)
    run_worker(made, once=True)
    with transaction(rig.engine) as tx:
        assert not tenancy.lock_tenant(tx, rig.portal_id).installation.needs_admin
    assert_shown(rig, booking.id)


def test_installation_whose_pairs_are_all_dead_goes_on_waiting(company: Company, tools: Tools) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        tenancy.lost_all_pairs(tx, rig.portal_id)
        for pair in tenancy.living_pairs(tx, rig.portal_id):
            pair.dead_at = rig.clock()
    clear(rig.engine)
    periodic.revive(tools)
    with transaction(rig.engine) as tx:
        assert tenancy.lock_tenant(tx, rig.portal_id).installation.needs_admin
    assert jobs(rig.engine) == []


def test_failed_jobs_are_forgotten_after_a_week(rig: Rig, made: Made) -> None:
    clear(made.engine)
    for status in ("failed", "succeeded"):
        job(made.engine, status)
    with made.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO procrastinate_events (job_id, type, at) SELECT id, CAST(status::text AS"
                " procrastinate_job_event_type), now() - make_interval(days => :days) FROM procrastinate_jobs"
            ),
            {"days": 8},
        )
    job(made.engine, "failed")
    with transaction(made.engine) as tx:
        queue.defer(tx, "jobs.prune", timestamp=0)
    run_worker(made, once=True)
    assert jobs(made.engine) == [(refs.DRAIN, "failed")]


def test_round_of_upkeep_runs_as_a_job(company: Company, made: Made) -> None:
    booking = company.book(company.room)
    clear(made.engine)
    with transaction(made.engine) as tx:
        queue.defer(tx, "jobs.look_after", timestamp=0)
    run_worker(made, once=True)
    assert_shown(company.rig, booking.id)


# What the clock decides about bookings ----


def stages(engine: Engine) -> dict[int, str]:
    """The stage of every booking by its number."""
    with transaction(engine) as tx:
        return {booking.number: booking.stage for booking in tx.query(Booking)}


def test_what_the_clock_has_decided_is_written_down_and_drawn(company: Company, tools: Tools, clock: Clock) -> None:
    ended = company.book(company.room, 1)
    held = company.book(company.room, 20, intent="hold")
    later = company.book(company.person, 40)
    company.rig.drain()
    clock.forward(3 * 3600)
    periodic.settle_bookings(tools)
    assert stages(tools.engine) == {ended.number: "completed", held.number: "prebooked", later.number: "confirmed"}
    clock.forward(18 * 3600)
    periodic.settle_bookings(tools)
    assert stages(tools.engine) == {ended.number: "completed", held.number: "expired", later.number: "confirmed"}
    company.rig.drain(3)
    for booking in (ended, held, later):
        assert_shown(company.rig, booking.id)


def test_settling_wakes_the_drain_and_a_second_round_finds_nothing(
    company: Company, tools: Tools, clock: Clock
) -> None:
    company.book(company.room)
    company.rig.drain()
    clock.forward(3 * 3600)
    clear(tools.engine)
    periodic.settle_bookings(tools)
    assert jobs(tools.engine) == [(refs.DRAIN, "todo")]
    clear(tools.engine)
    periodic.settle_bookings(tools)
    assert jobs(tools.engine) == []


@pytest.mark.parametrize("error", [Stale(2), NotFound("booking"), OperationalError("deadlock", {}, Exception())])
def test_a_booking_that_cannot_be_settled_stops_no_other(
    company: Company, tools: Tools, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    booked = [company.book(company.room, hours) for hours in (1, 2, 3)]
    clock.forward(5 * 3600)
    poor = min(one.id for one in booked)

    def settle(tx: Session, portal: Portal, booking_id: uuid.UUID, now: datetime) -> bool:
        done = settle_due(tx, portal, booking_id, now)
        if booking_id == poor:
            raise error
        return done

    monkeypatch.setattr(periodic, "settle_due", settle)
    periodic.settle_bookings(tools)
    assert stages(tools.engine) == {one.number: "confirmed" if one.id == poor else "completed" for one in booked}, (
        "each in a transaction of its own"
    )
    monkeypatch.undo()
    periodic.settle_bookings(tools)
    assert set(stages(tools.engine).values()) == {"completed"}


def test_a_round_settles_so_many_and_the_next_goes_on(
    company: Company, tools: Tools, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in (1, 2, 3):
        company.book(company.room, hours)
    clock.forward(5 * 3600)
    monkeypatch.setattr(periodic, "SETTLED_AT_ONCE", 2)
    periodic.settle_bookings(tools)
    assert sorted(stages(tools.engine).values()) == ["completed", "completed", "confirmed"]
    periodic.settle_bookings(tools)
    assert set(stages(tools.engine).values()) == {"completed"}


def test_bookings_of_an_installation_that_has_gone_are_left_alone(company: Company, tools: Tools, clock: Clock) -> None:
    company.book(company.room)
    with transaction(tools.engine) as tx:
        tenant = tenancy.tenant(tx, company.rig.portal_id)
        assert tenant is not None
        tenancy.end_installation(tx, tenant.installation, clock())
    clock.forward(5 * 3600)
    periodic.settle_bookings(tools)
    assert set(stages(tools.engine).values()) == {"confirmed"}
