"""The limits as one process keeps them, with a clock that moves only when somebody sleeps."""

import pytest

from b24app.bitrix.throttle import LocalThrottle
from b24app.errors import RateLimited


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def throttle(clock: Clock, rate: float = 2, burst: int = 3, max_wait: float = 1) -> LocalThrottle:
    return LocalThrottle(clock, clock.sleep, rate=rate, burst=burst, max_wait=max_wait, jitter=lambda: 1.0)


def test_a_burst_passes_and_then_two_a_second() -> None:
    clock = Clock()
    limit = throttle(clock)
    for _ in range(5):
        limit.admit(["profile"])
    assert clock.slept == [0.5, 0.5]


def test_an_idle_bucket_holds_no_more_than_the_burst() -> None:
    clock = Clock()
    limit = throttle(clock)
    clock.now += 3600
    for _ in range(4):
        limit.admit(["profile"])
    assert clock.slept == [0.5]


def test_those_who_wait_stand_in_a_queue_and_the_last_are_sent_away() -> None:
    clock = Clock()
    waits: list[float] = []
    limit = LocalThrottle(clock, waits.append, rate=2, burst=1, max_wait=1)
    for _ in range(3):
        limit.admit(["profile"])
    with pytest.raises(RateLimited) as refused:
        limit.admit(["profile"])
    assert (waits, refused.value.delay) == ([0.5, 1.0], 1.5)


def test_each_refusal_in_a_row_doubles_the_wait_until_an_answer_comes() -> None:
    clock = Clock()
    limit = throttle(clock)
    assert [limit.slow_down() for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]
    limit.answered({})
    assert limit.slow_down() == 2
    limit.admit(["profile"])
    assert clock.slept == [0.5]  # the bucket was emptied


def test_a_blocked_method_waits_for_what_the_last_answer_promised() -> None:
    clock = Clock()
    limit = throttle(clock)
    limit.answered({"crm.item.add": (300.0, clock.now + 90)})
    assert limit.used("CRM.item.add") == 300 / 480
    assert limit.pause("crm.item.ADD") == 90
    with pytest.raises(RateLimited) as refused:
        limit.admit(["profile", "crm.item.add"])
    assert refused.value.delay == 90
    limit.admit(["profile"])
    clock.now += 91
    limit.admit(["crm.item.add"])
    assert limit.used("crm.item.add") == 0


def test_a_method_at_its_limit_is_paused_before_the_portal_refuses() -> None:
    clock = Clock()
    limit = throttle(clock)
    limit.answered({"crm.item.add": (481.0, clock.now + 30)})
    with pytest.raises(RateLimited):
        limit.admit(["crm.item.add"])


def test_a_block_without_a_known_end_lasts_a_minute() -> None:
    assert throttle(Clock()).pause("crm.item.add") == 60
