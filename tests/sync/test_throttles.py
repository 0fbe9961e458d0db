"""One portal's limits, shared by everybody who calls it, with a clock that moves only when somebody sleeps."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from b24app.bitrix.throttle import UNKNOWN_PAUSE
from b24app.errors import AppError, InstallationRevoked, PortalUnavailable, RateLimited
from b24app.ledger.limits import Terms
from b24app.ledger.session import Engine, transaction
from b24app.sync.throttles import BACKGROUND, PEOPLE, SharedThrottle, SharedThrottles, may_try
from tests import factories

ITEM = "crm.item.add"


@dataclass
class Clock:
    now: datetime
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(now: datetime) -> Clock:
    return Clock(now)


@pytest.fixture
def portal_id(engine: Engine) -> int:
    with transaction(engine) as tx:
        return factories.make_portal(tx).id


@dataclass
class Processes:
    """Several processes with one database between them."""

    engine: Engine
    clock: Clock
    portal_id: int

    def one(self, terms: Terms = BACKGROUND, portal_id: int | None = None) -> SharedThrottle:
        common = SharedThrottles(self.engine, self.clock, self.clock.sleep, terms, jitter=lambda: 1.0)
        return common.of(portal_id or self.portal_id)


@pytest.fixture
def processes(engine: Engine, clock: Clock, portal_id: int) -> Processes:
    return Processes(engine, clock, portal_id)


def obstacle(throttle: SharedThrottle, *methods: str) -> AppError:
    with pytest.raises(AppError) as met:
        throttle.admit(methods or ["profile"])
    return met.value


def test_two_processes_draw_from_one_bucket_and_then_wait_their_half_second(processes: Processes, clock: Clock) -> None:
    first, second = processes.one(), processes.one()
    for _ in range(15):
        first.admit(["profile"])
        second.admit(["profile"])
    assert clock.slept == []
    first.admit(["profile"])
    second.admit(["profile"])
    assert clock.slept == [0.5, 0.5]


def test_processes_that_ask_at_once_get_no_more_than_the_bucket_holds(engine: Engine, portal_id: int) -> None:
    """Nothing refills while the clock stands still, so whoever comes too late is told to wait, and none twice."""
    waits: list[float] = []
    now = datetime(2026, 3, 10, tzinfo=UTC)
    common = SharedThrottles(engine, lambda: now, waits.append, replace(BACKGROUND, patience=2))

    def work() -> None:
        for _ in range(9):
            try:
                common.of(portal_id).admit(["profile"])
            except RateLimited:
                waits.append(-1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [-1, -1, 0.5, 1.0, 1.5, 2.0]


def test_people_do_not_queue_behind_bulk_and_may_overdraw_a_little(processes: Processes, clock: Clock) -> None:
    bulk, person = processes.one(), processes.one(PEOPLE)
    for _ in range(30 + 20):
        bulk.admit(["profile"])
    assert clock.slept == [0.5] * 20
    for _ in range(19):
        person.admit(["profile"])
    assert clock.slept[20:] == [0.5], "the last of them; together they are below what the portal blocks at"
    bulk.admit(["profile"])
    assert clock.slept[21:] == [9.5]


def test_bulk_gives_up_rather_than_wait_long(engine: Engine, portal_id: int, now: datetime) -> None:
    waits: list[float] = []
    for _ in range(48):
        SharedThrottles(engine, lambda: now, waits.append, PEOPLE).of(portal_id).admit(["profile"])
    bulk = SharedThrottles(engine, lambda: now, waits.append).of(portal_id)
    bulk.admit(["profile"])
    bulk.admit(["profile"])
    met = obstacle(bulk)
    assert (type(met), met.args[0], met.delay) == (RateLimited, "QUERY_LIMIT_EXCEEDED", 10.5)  # type: ignore[attr-defined]
    assert waits == [9.5, 10]


def test_portals_do_not_share_a_bucket(processes: Processes, engine: Engine, clock: Clock) -> None:
    with transaction(engine) as tx:
        other = factories.make_portal(tx, member_id="b" * 32).id
    for _ in range(30):
        processes.one().admit(["profile"])
        processes.one(portal_id=other).admit(["profile"])
    assert clock.slept == []


def test_a_refusal_keeps_every_process_away_longer_each_time_until_an_answer_comes(
    processes: Processes, clock: Clock
) -> None:
    first, second, person = processes.one(), processes.one(), processes.one(PEOPLE)
    first.admit(["profile"])
    assert first.slow_down() == 2
    assert (type(met := obstacle(second)), met.args[0]) == (RateLimited, "QUERY_LIMIT_EXCEEDED")
    person.admit(["profile"])
    assert clock.slept == [0.5], "by the portal's count the bucket is empty, for people too"
    clock.sleep(20)
    second.admit(["profile"])
    assert second.slow_down() == 4
    clock.sleep(20)
    first.admit(["profile"])
    first.answered({})
    assert first.slow_down() == 2


def test_working_time_is_shared_and_pauses_its_method_alone(processes: Processes, clock: Clock) -> None:
    first, second = processes.one(), processes.one(PEOPLE)
    reset = clock.now.timestamp() + 90
    first.answered({ITEM: (400.0, reset), "profile": (0.1, reset)})
    assert second.used("CRM.item.ADD") == 400 / 480
    second.admit([ITEM])
    first.answered({ITEM: (480.5, reset)})
    assert (type(met := obstacle(second, "profile", ITEM)), met.args[0]) == (RateLimited, "OPERATION_TIME_LIMIT")
    assert met.delay == 90  # type: ignore[attr-defined]
    second.admit(["profile"])
    clock.sleep(91)
    second.admit([ITEM])
    assert first.used(ITEM) == 0


def test_a_method_that_the_portal_blocks_is_paused_for_all_until_what_is_known_of_it_is_forgiven(
    processes: Processes, clock: Clock
) -> None:
    assert processes.one().pause(ITEM) == UNKNOWN_PAUSE
    assert isinstance(obstacle(processes.one(), ITEM), RateLimited)
    processes.one().answered({ITEM: (10, clock.now.timestamp() + 30)})
    assert processes.one().pause(ITEM) == 30


@pytest.mark.parametrize("said", [(-1e12, -1e12), (1e12, 1e12), (0.0, 0.0)])
def test_a_portal_that_names_impossible_times_harms_nobody_for_long(
    processes: Processes, clock: Clock, said: tuple[float, float]
) -> None:
    processes.one().answered({ITEM: said})
    clock.sleep(700)
    processes.one().admit([ITEM])


def test_a_portal_that_was_erased_meanwhile_is_gone(processes: Processes) -> None:
    gone = processes.one(portal_id=4711)
    assert isinstance(obstacle(gone), InstallationRevoked)
    gone.answered({ITEM: (1.0, 2.0)})
    assert (gone.slow_down(), gone.silent(), gone.pause(ITEM), gone.used(ITEM)) == (0, 0, UNKNOWN_PAUSE, 0)


# Silence ----


def test_a_silent_portal_is_left_alone_longer_each_time_but_not_by_people(processes: Processes, clock: Clock) -> None:
    worker, person = processes.one(), processes.one(PEOPLE)
    waits = []
    for _ in range(7):
        worker.admit(["profile"])
        waits.append(worker.silent())
        met = obstacle(processes.one())
        assert (type(met), met.args[0], met.delay) == (PortalUnavailable, "silent", waits[-1])  # type: ignore[attr-defined]
        person.admit(["profile"])
        person.answered({})
        assert isinstance(obstacle(worker), PortalUnavailable), "a page that is answered says nothing of a batch"
        clock.sleep(waits[-1])
    assert waits == [30, 60, 120, 240, 480, 900, 900]
    worker.admit(["profile"])
    worker.answered({})
    worker.admit(["profile"])
    assert worker.silent() == 30


def test_a_page_that_gave_up_does_not_keep_the_worker_away(processes: Processes) -> None:
    person = processes.one(PEOPLE)
    person.admit(["profile"])
    assert person.silent() == 0
    processes.one().admit(["profile"])


def test_one_process_at_a_time_tries_portals_that_did_not_answer(
    processes: Processes, engine: Engine, clock: Clock
) -> None:
    with transaction(engine) as tx:
        others = [factories.make_portal(tx, member_id=letter * 32).id for letter in "bc"]
    silent, healthy = [processes.portal_id, others[0]], others[1]
    for portal_id in silent:
        throttle = processes.one(portal_id=portal_id)
        throttle.admit(["profile"])
        throttle.silent()

    def may(portal_id: int) -> bool:
        with may_try(engine, portal_id, clock.now) as allowed:
            return allowed

    assert [may(one) for one in (*silent, healthy)] == [False, False, True]
    clock.sleep(31)
    with may_try(engine, silent[0], clock.now) as trying:
        assert trying
        assert [may(one) for one in (*silent, healthy)] == [False, False, True]
    assert may(silent[1])
    throttle.answered({})
    with may_try(engine, silent[0], clock.now):
        assert may(silent[1]), "it has spoken"
