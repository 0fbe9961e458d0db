"""The guide: what an administrator answers to seven questions, and the configuration that comes of it.

Pure: answers and the present configuration in, the wanted configuration out. What the guide has made once belongs to
the people: asked again it changes only what was answered otherwise since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from b24app import texts
from b24app.booking import configuration as setup
from b24app.booking import holidays
from b24app.booking.configuration import Configuration, Item
from b24app.booking.kinds import is_kind
from b24app.booking.policies import make_policy
from b24app.booking.portal_settings import FURTHEST, MOST_REMINDERS, SOONEST
from b24app.booking.resources import ResourceData, is_step
from b24app.booking.services import ServiceData
from b24app.errors import InvalidInput
from b24app.ledger.access import EMPLOYEES, EVERYTHING
from b24app.ledger.portal_settings import DEAL_MODES
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours, is_zone
from b24app.scheduling.policy import Policy, Rung, check_policy
from b24app.scheduling.pricing import Tariff, check_tariff

GROUPS = ("rooms", "rentals", "appointments")
UNITS = ("free", "slot", "service")
CANCELLING = ("soft", "usual", "strict", "manager")
MOVING = ("free", "usual", "never")
MONEY = ("none", "price", "deposit")
ACCESS = ("all", "request", "chosen")
WINNERS = ("first", "payment", "manager")
MOST_NAMES = 30
MOST_RUNGS = 4
LONGEST_HOURS = 8  # of a booking of free length
USUAL_WAIT = {"first": 120, "payment": DAY_MINUTES, "manager": DAY_MINUTES}
YEAR_MINUTES = 365 * DAY_MINUTES
# How near the start somebody may still cancel where no money is in it.
FREE_UNTIL = {"soft": 0, "usual": 120, "strict": DAY_MINUTES, "manager": YEAR_MINUTES}
LADDERS: dict[str, tuple[Rung, ...]] = {
    "soft": (Rung(2, 50),),
    "usual": (Rung(24, 50), Rung(3, 100)),
    "strict": (Rung(72, 100),),
    "manager": (),
}


@dataclass(frozen=True, slots=True)
class Group:
    """One sort of things that are booked: what there is of it, and how its time is taken.

    `people`: users of the portal who are booked, in the order of `names`. `minutes`: of a slot or service, or the step.
    """

    names: tuple[str, ...] = ()
    people: tuple[int, ...] = ()
    kind: str = "room"
    unit: str = "free"
    minutes: int = 30
    service: str = ""
    price: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that was answered; minutes after midnight, and weekdays from Monday = 0."""

    what: tuple[str, ...] = ("rooms",)
    rooms: Group = field(default_factory=Group)
    rentals: Group = field(default_factory=lambda: Group(kind="hall", unit="slot", minutes=60, price=Decimal(1500)))
    appointments: Group = field(
        default_factory=lambda: Group(kind="specialist", unit="service", minutes=60, price=Decimal(2000))
    )
    city: str = ""
    address: str = ""
    time_zone: str = "Europe/Moscow"
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    opens: int = 9 * 60
    closes: int = 19 * 60
    holidays: str = ""
    winner: str = "first"
    wait_minutes: int = USUAL_WAIT["first"]
    money: str = "none"
    deposit_percent: int = 50
    cancel: str = "usual"
    ladder: tuple[Rung, ...] = LADDERS["usual"]
    moving: str = "usual"
    access: str = "all"
    managers: tuple[int, ...] = ()
    calendar: bool = True
    reminders: tuple[int, ...] = (60,)
    tell_responsible: bool = True
    tell_requester: bool = True
    comments: bool = True
    deals: str = "link"
    crm: bool | None = None

    def group(self, name: str) -> Group:
        """One of the three."""
        found: Group = getattr(self, name)
        return found

    @property
    def of_clients(self) -> bool:
        """Whether anybody from outside books: only then is there money in it."""
        return self.what != ("rooms",)

    @property
    def takes_cards(self) -> bool:
        """Whether bookings become cards of the CRM (Level B): nobody needs those of the company's own rooms."""
        return self.of_clients if self.crm is None else self.crm

    @property
    def settled(self) -> Answers:
        """The same without what contradicts itself: who pays first needs something to pay, colleagues pay nothing."""
        if not self.of_clients:
            winner = "first" if self.winner == "payment" else self.winner
            return replace(self, money="none", winner=winner)
        return replace(self, money="deposit") if self.winner == "payment" and self.money != "deposit" else self

    @property
    def holds_minutes(self) -> int:
        """How long a pre-booking of a client holds; 0: a booking is confirmed at once, as nothing is waited for."""
        settled = self.settled
        return settled.wait_minutes if settled.winner == "first" and settled.money == "deposit" else 0


def check(answers: Answers) -> None:
    """Raises InvalidInput with a code for every answer that cannot be."""
    wrong = {
        "what": None if answers.what and set(answers.what) <= set(GROUPS) else "required",
        "weekdays": None if answers.weekdays and set(answers.weekdays) <= set(range(7)) else "required",
        "closes": None if 0 <= answers.opens < answers.closes <= DAY_MINUTES else "end_before_start",
        "city": "too_many_characters" if len(answers.city) > 80 else None,
        "address": "too_many_characters" if len(answers.address) > 200 else None,
        "time_zone": None if is_zone(answers.time_zone) else "unknown_zone",
        "holidays": None if answers.holidays in ("", *holidays.countries()) else "unknown_choice",
        "winner": _of(answers.winner, WINNERS),
        "wait_minutes": None if 1 <= answers.wait_minutes <= 30 * DAY_MINUTES else "out_of_range",
        "money": _of(answers.money, MONEY),
        "deposit_percent": None if 1 <= answers.deposit_percent <= 100 else "out_of_range",
        "cancel": _of(answers.cancel, CANCELLING),
        "moving": _of(answers.moving, MOVING),
        "access": _of(answers.access, ACCESS),
        "reminders": _wrong_reminders(answers.reminders),
        "deals": _of(answers.deals, DEAL_MODES),
    }
    for name in answers.what:
        wrong |= {f"{name}_{at}": code for at, code in _wrong_group(name, answers).items()}
    found = {at: code for at, code in wrong.items() if code}
    if found:
        raise InvalidInput(found)


def _of(value: str, known: tuple[str, ...]) -> str | None:
    return None if value in known else "unknown_choice"


def _wrong_reminders(minutes: tuple[int, ...]) -> str | None:
    if len(minutes) > MOST_REMINDERS:
        return "too_many"
    return None if all(SOONEST <= one <= FURTHEST for one in minutes) else "out_of_range"


def _wrong_group(name: str, answers: Answers) -> dict[str, str | None]:
    if name not in GROUPS:
        return {}
    group = answers.group(name)
    return {
        "kind": None if is_kind(group.kind) else "unknown_kind",
        "names": _wrong_names(group.names),
        "unit": _of(group.unit, UNITS),
        "minutes": None if _fits(group) else "unknown_step",
        "service": "required" if group.unit == "service" and not group.service.strip() else None,
        "price": None if answers.money == "none" or name == "rooms" or group.price > 0 else "not_positive",
    }


def _wrong_names(names: tuple[str, ...]) -> str | None:
    if not names:
        return "required"
    if len(names) > MOST_NAMES:
        return "too_many"
    if any(len(one) > 120 for one in names):
        return "too_many_characters"
    return "duplicate" if len(set(names)) < len(names) else None


def _fits(group: Group) -> bool:
    """A service may last as it likes up to a day; a slot or a step must divide the day."""
    if group.unit == "service":
        return 1 <= group.minutes <= DAY_MINUTES
    return is_step(group.minutes) and group.minutes <= LONGEST_HOURS * 60


# What comes of it ----


def opening_hours(answers: Answers) -> tuple[OpeningHours, ...]:
    """The same hours on each chosen weekday."""
    return tuple(OpeningHours(day, answers.opens, answers.closes) for day in sorted(answers.weekdays))


def durations(group: Group) -> tuple[int, int, int]:
    """Shortest, longest and step of a booking, in minutes."""
    if group.unit == "service":
        return group.minutes, group.minutes, min(group.minutes, 30)
    most = LONGEST_HOURS * 60 // group.minutes * group.minutes
    return group.minutes, most, group.minutes


def colleagues_policy(answers: Answers, language: str) -> Policy:
    """The rules for the company's own rooms: free of charge, and nobody waits unless a manager decides."""
    settled = answers.settled
    return make_policy(
        name=texts.say(language, "guide.rules_of_colleagues"),
        winner="manager" if settled.winner == "manager" else "first",
        decide_minutes=settled.wait_minutes if settled.winner == "manager" else DAY_MINUTES,
    )


def clients_policy(answers: Answers, language: str) -> Policy:
    """The rules for whoever comes from outside."""
    settled = answers.settled
    priced = settled.money != "none"
    until = YEAR_MINUTES if settled.cancel == "manager" else 0
    return make_policy(
        name=texts.say(language, "guide.rules_of_clients"),
        winner=settled.winner,
        hold_minutes=settled.holds_minutes,
        decide_minutes=settled.wait_minutes if settled.winner != "first" else DAY_MINUTES,
        cancel_until_minutes=until if priced else FREE_UNTIL[settled.cancel],
        cancel_ladder=settled.ladder if priced and settled.cancel != "manager" else (),
        no_show_percent=100 if priced and settled.cancel != "soft" else 0,
        move_until_minutes=180 if settled.moving == "usual" else 0,
        most_moves={"free": None, "usual": 2, "never": 0}[settled.moving],
    )


def tariff_of(answers: Answers, name: str, language: str) -> Tariff | None:
    """What one group costs; None where it is free of charge."""
    settled = answers.settled
    if name == "rooms" or settled.money == "none":
        return None
    group = answers.group(name)
    by_hour = name == "rentals" and group.unit != "service"
    return Tariff(
        texts.say(language, f"guide.tariff_of_{name}"),
        "hour" if by_hour else "fixed",
        group.price,
        deposit_percent=settled.deposit_percent if settled.money == "deposit" else 0,
    )


def check_money(answers: Answers, currency: str, language: str) -> None:
    """Raises InvalidInput for rungs and prices that could not be saved, at the fields that say them."""
    if answers.settled.money == "none":
        return
    wrong = {
        f"rungs-{at.split('-')[1]}": code
        for at, code in check_policy(clients_policy(answers, language)).items()
        if at.startswith("cancel_ladder")
    }
    for name in answers.what:
        tariff = tariff_of(answers, name, language)
        if tariff and (code := check_tariff(tariff, currency).get("price")):
            wrong[f"{name}_price"] = code
    if wrong:
        raise InvalidInput(wrong)


def drafted(answers: Answers, language: str) -> Configuration:
    """What these answers mean, whatever there is already; `language`: of what it is called."""
    return Configuration(
        tariffs=tuple(setup.tariff(one) for one in _tariffs(answers, language).values()),
        policies=tuple(setup.policy(one) for one in _policies(answers, language)),
        resources=tuple(_resources(answers, language)),
        services=tuple(_services(answers, language)),
    )


def _tariffs(answers: Answers, language: str) -> dict[str, Tariff]:
    found = {name: tariff_of(answers, name, language) for name in answers.what}
    return {name: tariff for name, tariff in found.items() if tariff}


def _policies(answers: Answers, language: str) -> Iterator[Policy]:
    if answers.of_clients:
        yield clients_policy(answers, language)
    if "rooms" in answers.what:
        yield colleagues_policy(answers, language)


def _rules_of(answers: Answers, name: str, language: str) -> dict[str, Any]:
    """By which rules and at what price a group is booked, by name."""
    policy = colleagues_policy if name == "rooms" else clients_policy
    tariff = tariff_of(answers, name, language)
    return {"policy": policy(answers, language).name, "tariff": tariff.name if tariff else None}


def named(group: Group) -> dict[str, int | None]:
    """What a group consists of: names, each with the user of the portal who it is."""
    if group.kind == "specialist":
        return dict(zip(group.names, group.people, strict=False))
    return dict.fromkeys(group.names)


def _resources(answers: Answers, language: str) -> Iterator[Item]:
    for name in answers.what:
        group, rules = answers.group(name), _rules_of(answers, name, language)
        for one, user in named(group).items():
            yield setup.resource(_resource(answers, group, one, user), **rules)


def _resource(answers: Answers, group: Group, name: str, user: int | None) -> ResourceData:
    shortest, longest, step = durations(group)
    return ResourceData(
        kind=group.kind,
        name=name,
        city=answers.city,
        address=answers.address,
        time_zone=answers.time_zone,
        step_minutes=step,
        min_minutes=shortest,
        max_minutes=longest,
        portal_user_id=user,
        calendar_mode="default" if answers.calendar else "none",
        hours=opening_hours(answers),
        holidays=answers.holidays,
    )


def _services(answers: Answers, language: str) -> Iterator[Item]:
    """What is booked by name, with anybody or anything of its group that is free."""
    for name in answers.what:
        group = answers.group(name)
        if group.unit == "service":
            shortest, longest, step = durations(group)
            data = ServiceData(group.service.strip(), shortest, longest, step, preference="least_used")
            rules = _rules_of(answers, name, language)
            yield setup.service(data, requirements=[(list(named(group)), 1)], **rules)


def wanted(answers: Answers, made: Answers | None, present: Configuration, language: str) -> Configuration:
    """What the portal should become, as far as the guide has a say in it.

    `made`: what was answered when the guide made something last. What stands there already is changed only in what is
    answered otherwise now; what people have changed since in other places is theirs.
    """
    now, before = drafted(answers, language), drafted(made, language) if made else Configuration()
    sections: dict[str, Any] = {
        name: tuple(_mixed(now.items(name), before.items(name), present.items(name), lasting=name in BY_NAME))
        for name in ("tariffs", "policies", "resources", "services")
    }
    there = {one.key for one in (*present.resources, *sections["resources"]) if not one.archived}
    sections["services"] = tuple(_met(one, there) for one in sections["services"])
    used = {
        item.fields.get(at)
        for name in ("resources", "services")
        for item in sections[name]
        for at in ("policy", "tariff")
    }
    for name in BY_NAME:
        there = {one.key for one in present.items(name)}
        sections[name] = tuple(one for one in sections[name] if one.key in used | there)
    if not present.policies and sections["policies"]:
        first, *others = sections["policies"]
        sections["policies"] = (replace(first, fields={**first.fields, "is_default": True}), *others)
    asked = made or Answers()
    return Configuration(
        settings=_settings(answers, asked, present.settings or {}),
        access=_access(answers, asked, present.access or ()),
        **sections,
    )


def _mixed(now: Sequence[Item], before: Sequence[Item], present: Sequence[Item], *, lasting: bool) -> Iterator[Item]:
    """What was made once and is gone, archived or called otherwise now is no longer the guide's."""
    earlier, known = {one.key: one.fields for one in before}, {one.key: one for one in present}
    for item in now:
        if item.key not in known or known[item.key].archived:
            if item.key not in earlier or lasting:
                yield item
        elif item.key in earlier:
            was = earlier[item.key]
            changed = {name: value for name, value in item.fields.items() if was.get(name) != value}
            if changed:
                yield Item(item.key, changed)


def _met(service: Item, there: Collection[str]) -> Item:
    """The service with those who are still called so."""
    needs = service.fields.get("requirements", ())
    left = [need | {"options": [one for one in need["options"] if one in there]} for need in needs]
    return replace(service, fields={**service.fields, "requirements": left}) if needs else service


BY_NAME = ("tariffs", "policies")  # what others need by name: made again rather than missing
SETTINGS = {
    "remind_minutes": "reminders",
    "notify_responsible": "tell_responsible",
    "notify_requester": "tell_requester",
    "comments": "comments",
}


def _settings(answers: Answers, asked: Answers, present: Mapping[str, Any]) -> Mapping[str, Any] | None:
    said = {
        name: list(value) if isinstance(value := getattr(answers, at), tuple) else value
        for name, at in SETTINGS.items()
        if getattr(answers, at) != getattr(asked, at)
    }
    if answers.deals != asked.deals:
        said["deal"] = {**present.get("deal", {}), "mode": answers.deals}
    return said or None


EVERYBODY = {"all": "book", "request": "request", "chosen": "busy"}


def _access(
    answers: Answers, asked: Answers, present: Sequence[Mapping[str, str]]
) -> tuple[Mapping[str, str], ...] | None:
    """The rights with those of everybody and of the managers on everything as they are answered; others stay."""
    if (answers.access, answers.managers) == (asked.access, asked.managers):
        return None
    ours = {EMPLOYEES, *(f"U{user}" for user in (*answers.managers, *asked.managers))}
    others = [one for one in present if one["scope"] != EVERYTHING or one["code"] not in ours]
    managers = [setup.grant(EVERYTHING, f"U{user}", "manage") for user in answers.managers]
    return (setup.grant(EVERYTHING, EMPLOYEES, EVERYBODY[answers.access]), *managers, *others)
