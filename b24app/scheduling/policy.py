"""The company's rules: values in, every broken rule out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from b24app.scheduling.availability import on_grid
from b24app.scheduling.hours import DAY_MINUTES, Reason, local_instant
from b24app.scheduling.interval import Interval

WINNERS = ("first", "payment", "manager")
AFTER_END = ("completed", "ask", "no_show")
QUOTA_PER = ("client", "person", "department")
QUOTA_PERIODS = ("day", "week", "month", "ahead")
QUOTA_UNITS = ("bookings", "minutes")
# Nothing waits, nothing is announced longer than a year.
LONGEST_MINUTES = 366 * DAY_MINUTES
MOST_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder of fees: less than `hours` before the start, `percent` of the price."""

    hours: int
    percent: int


@dataclass(frozen=True, slots=True)
class Quota:
    """How much one client, person or department may book in a period; "ahead" is everything still to come."""

    per: str
    period: str
    limit: int
    unit: str = "bookings"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force for one service; frozen into each booking, so a field that is new needs a default."""

    min_minutes: int
    max_minutes: int
    step_minutes: int
    horizon_days: int
    notice_minutes: int = 0
    winner: str = "first"
    hold_minutes: int = 0  # 0: confirmed at once
    decide_minutes: int = DAY_MINUTES  # how long a request waits for a payment or for a manager
    approval_minutes: int = DAY_MINUTES
    pay_minutes: int = 0  # after it was confirmed; 0: no term
    cancel_until_minutes: int = 0  # before the start; 0: up to the start
    move_until_minutes: int = 0
    most_moves: int | None = None
    cancel_ladder: tuple[Rung, ...] = ()
    move_ladder: tuple[Rung, ...] = ()
    no_show_percent: int = 0
    after_end: str = "completed"
    quotas: tuple[Quota, ...] = ()
    name: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, lists for tuples, so that what comes back from the database compares equal."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Unknown keys are left out, missing ones have their defaults: older bookings know fewer rules."""
        known = {one.name: data[one.name] for one in fields(cls) if one.name in data}
        for key, part in (("cancel_ladder", Rung), ("move_ladder", Rung), ("quotas", Quota)):
            known[key] = tuple(part(**one) for one in known.get(key, ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: a code that `texts` knows, its parameters, and the field of the form it is `at`.

    `setting` names where the rule is set: "service.max_minutes", "rules.notice_minutes", "resource.hours".
    """

    code: str
    at: str
    params: Mapping[str, Any] = field(default_factory=dict)
    setting: str = ""


def violations(
    policy: Policy,
    wanted: Interval,
    now: datetime,
    zone: ZoneInfo,
    *,
    closed: Reason | None,
    used: Mapping[Quota, int],
    exempt: bool = False,
) -> list[Violation]:
    """All rules that `wanted` breaks, or none.

    `closed`: why no resource is open then (`hours.why_closed`). `used`: what has been booked of each quota, this
    booking not counted. `exempt`: approvers need no notice and have no quota.
    """
    broken = [*_lengths(policy, wanted), *_starts(policy, wanted, now, zone)]
    if closed is not None:
        broken.append(_outside_hours(closed))
    if not exempt:
        broken += [*_notice(policy, wanted, now), *_quotas(policy, wanted, used)]
    return broken


def _lengths(policy: Policy, wanted: Interval) -> Iterator[Violation]:
    minutes = wanted.duration / timedelta(minutes=1)
    if minutes < policy.min_minutes:
        yield Violation("too_short", "end", {"minutes": policy.min_minutes}, "service.min_minutes")
    if minutes > policy.max_minutes:
        yield Violation("too_long", "end", {"minutes": policy.max_minutes}, "service.max_minutes")
    # A fixed service lasts what it lasts; only its start has to be on the grid.
    if policy.min_minutes != policy.max_minutes and minutes % policy.step_minutes:
        yield Violation("off_grid", "end", {"minutes": policy.step_minutes}, "service.step_minutes")


def _starts(policy: Policy, wanted: Interval, now: datetime, zone: ZoneInfo) -> Iterator[Violation]:
    if wanted.start < now:
        yield Violation("past", "start")
    if wanted.start > now + timedelta(days=policy.horizon_days):
        yield Violation("beyond_horizon", "start", {"days": policy.horizon_days}, "service.horizon_days")
    if not on_grid(wanted.start, policy.step_minutes, zone):
        yield Violation("off_grid", "start", {"minutes": policy.step_minutes}, "service.step_minutes")


CLOSED_BY = {
    "closure": "resource.closures",
    "holiday": "company.holidays",
    "special_hours": "resource.special_hours",
    "hours": "resource.hours",
}


def _outside_hours(closed: Reason) -> Violation:
    params = {"closed": closed.code, **closed.params}
    return Violation("outside_hours", "start", params, CLOSED_BY.get(closed.code, "resource.hours"))


def _notice(policy: Policy, wanted: Interval, now: datetime) -> Iterator[Violation]:
    if now <= wanted.start < now + timedelta(minutes=policy.notice_minutes):
        yield _of_rules(policy, "notice", "start", "notice_minutes", {"minutes": policy.notice_minutes})


def _quotas(policy: Policy, wanted: Interval, used: Mapping[Quota, int]) -> Iterator[Violation]:
    minutes = -(-wanted.duration // timedelta(minutes=1))
    for quota in policy.quotas:
        already, more = used.get(quota, 0), 1 if quota.unit == "bookings" else minutes
        if already + more > quota.limit:
            yield _of_rules(policy, "quota", "start", "quotas", {**asdict(quota), "used": already})


def _of_rules(policy: Policy, code: str, at: str, setting: str, params: dict[str, Any]) -> Violation:
    """One from the rules that have a name of their own; the name says which rules to look at."""
    named = {**params, "rules": policy.name} if policy.name else params
    return Violation(code, at, named, f"rules.{setting}")


def change_violations(
    policy: Policy,
    action: Literal["cancel", "move"],
    starts: datetime,
    now: datetime,
    *,
    ends: datetime | None = None,
    moves: int = 0,
    exempt: bool = False,
) -> list[Violation]:
    """Why a booking may not be cancelled or moved any more. `moves`: how often it has been moved already.

    The exempt (staff with the right) have no deadlines, but what is over is over for them as well.
    """
    if ends is not None and ends <= now:
        return [Violation("already_over", "")]
    if exempt:
        return []
    if starts <= now:
        return [Violation("already_started", "")]
    return [*_deadline(policy, action, starts - now), *_moves(policy, action, moves)]


def _deadline(policy: Policy, action: Literal["cancel", "move"], left: timedelta) -> Iterator[Violation]:
    until = policy.cancel_until_minutes if action == "cancel" else policy.move_until_minutes
    if left < timedelta(minutes=until):
        yield _of_rules(policy, f"{action}_deadline", "", f"{action}_until_minutes", {"minutes": until})


def _moves(policy: Policy, action: str, moves: int) -> Iterator[Violation]:
    if action == "move" and policy.most_moves is not None and moves >= policy.most_moves:
        yield _of_rules(policy, "most_moves", "", "most_moves", {"count": policy.most_moves})


def fee(ladder: Sequence[Rung], price: Decimal, starts: datetime, now: datetime, digits: int) -> Decimal:
    """What cancelling or moving costs now, exact to `digits` of the currency: the lowest rung that is reached."""
    reached = [rung for rung in ladder if starts - now < timedelta(hours=rung.hours)]
    return share(price, min(reached, key=lambda rung: rung.hours).percent if reached else 0, digits)


def no_show_fee(policy: Policy, price: Decimal, digits: int) -> Decimal:
    """What a client pays who did not come."""
    return share(price, policy.no_show_percent, digits)


def share(price: Decimal, percent: int, digits: int) -> Decimal:
    """So many percent, to the minor unit, halves upwards."""
    return (price * percent / 100).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def expires_at(policy: Policy, now: datetime, starts: datetime, *, needs_approval: bool) -> datetime | None:
    """Until when a new booking waits, at the longest up to its start; None: it is confirmed at once."""
    if needs_approval:
        term = policy.approval_minutes
    elif policy.winner != "first":
        term = policy.decide_minutes
    else:
        term = policy.hold_minutes
    return min(now + timedelta(minutes=term), starts) if term else None


def quota_window(quota: Quota, starts: datetime, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime | None]:
    """The local day, week (from Monday) or month that a wish falls into; "ahead" begins now and has no end."""
    if quota.period == "ahead":
        return now, None
    first, after = _period(quota.period, starts.astimezone(zone).date())
    return local_instant(first, 0, zone), local_instant(after, 0, zone)


def _period(period: str, day: date) -> tuple[date, date]:
    """Its first day, and the first one after it."""
    if period == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    first = day - timedelta(days=day.weekday()) if period == "week" else day
    return first, first + timedelta(days=7 if period == "week" else 1)


def check_policy(policy: Policy) -> dict[str, str]:
    """A code for every field that cannot be saved, also "cancel_ladder-0-percent" and "quotas-0-limit"."""
    wrong = {**_check_numbers(policy), **_check_choices(policy)}
    for name in ("cancel_ladder", "move_ladder"):
        wrong |= {f"{name}-{n}-{at}": code for (n, at), code in _check_ladder(getattr(policy, name)).items()}
    for n, quota in enumerate(policy.quotas):
        found = _check_quota(policy, quota) | ({"per": "duplicate"} if _same(quota, policy.quotas[:n]) else {})
        wrong |= {f"quotas-{n}-{at}": code for at, code in found.items()}
    return wrong


RANGES = {
    "min_minutes": (1, LONGEST_MINUTES),
    "max_minutes": (1, LONGEST_MINUTES),
    "step_minutes": (1, DAY_MINUTES),
    "horizon_days": (1, 3650),
    "notice_minutes": (0, LONGEST_MINUTES),
    "hold_minutes": (0, LONGEST_MINUTES),
    "decide_minutes": (1, LONGEST_MINUTES),
    "approval_minutes": (1, LONGEST_MINUTES),
    "pay_minutes": (0, LONGEST_MINUTES),
    "cancel_until_minutes": (0, LONGEST_MINUTES),
    "move_until_minutes": (0, LONGEST_MINUTES),
    "most_moves": (0, 1000),
    "no_show_percent": (0, MOST_PERCENT),
}


def _check_numbers(policy: Policy) -> dict[str, str]:
    values = {name: getattr(policy, name) for name in RANGES}
    wrong = {name: "out_of_range" for name, value in values.items() if value is not None and not _within(name, value)}
    if policy.min_minutes > policy.max_minutes:
        wrong.setdefault("min_minutes", "min_over_max")
    if policy.notice_minutes > policy.horizon_days * DAY_MINUTES:
        wrong.setdefault("notice_minutes", "notice_over_horizon")
    return wrong


def _within(name: str, value: int) -> bool:
    low, high = RANGES[name]
    return low <= value <= high


def _check_choices(policy: Policy) -> dict[str, str]:
    wrong = {} if policy.winner in WINNERS else {"winner": "unknown_choice"}
    if policy.after_end not in AFTER_END:
        wrong["after_end"] = "unknown_choice"
    if len(policy.name) > 120:
        wrong["name"] = "too_many_characters"
    return wrong


def _check_ladder(ladder: Sequence[Rung]) -> dict[tuple[int, str], str]:
    wrong = {(n, "hours"): "out_of_range" for n, rung in enumerate(ladder) if not 1 <= rung.hours <= 366 * 24}
    wrong |= {(n, "percent"): "out_of_range" for n, rung in enumerate(ladder) if not 0 <= rung.percent <= MOST_PERCENT}
    nearing = sorted(enumerate(ladder), key=lambda pair: -pair[1].hours)
    for (_, earlier), (n, later) in itertools.pairwise(nearing):
        if later.hours == earlier.hours:
            wrong.setdefault((n, "hours"), "same_hours")
        elif later.percent < earlier.percent:
            wrong.setdefault((n, "percent"), "fee_falls")
    return wrong


def _check_quota(policy: Policy, quota: Quota) -> dict[str, str]:
    choices = {"per": QUOTA_PER, "period": QUOTA_PERIODS, "unit": QUOTA_UNITS}
    wrong = {name: "unknown_choice" for name, known in choices.items() if getattr(quota, name) not in known}
    if quota.limit <= 0:
        wrong["limit"] = "quota_zero" if quota.limit == 0 else "negative"
    elif quota.limit > LONGEST_MINUTES:
        wrong["limit"] = "absurd"
    elif quota.unit == "minutes" and quota.limit < policy.min_minutes:
        wrong["limit"] = "quota_too_small"
    return wrong


def _same(quota: Quota, others: Sequence[Quota]) -> bool:
    """Whether the same is limited twice, however high."""
    return any((one.per, one.period, one.unit) == (quota.per, quota.period, quota.unit) for one in others)
