"""A request and those who decide about it: whom it is told to, who is asked next, who stands in for whom.

People nearest to the resource are asked first: whoever may approve for it alone, then for its place, its kind, for
everything, the administrators last. After so many hours without an answer the next of these are told as well.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from b24app.booking import changes
from b24app.errors import InvalidInput, NotAllowed
from b24app.ledger import approval, deliveries, queries, refs, rules, tenancy
from b24app.ledger.access import DECIDES, GrantRule, Resourceful, Viewer, scopes_of
from b24app.ledger.deliveries import NOTICE, Fact
from b24app.ledger.models import Booking, Portal
from b24app.ledger.portal_settings import PortalSettings
from b24app.ledger.session import Tx
from b24app.scheduling.stage import Stage

MOST_TOLD = 20  # of one round: a right of the whole company is no list of addressees
LONGEST_ABSENCE = timedelta(days=366)
ASKED, ASKED_NEXT = "waits", "waits_on"


def rounds(
    grants: Iterable[GrantRule], holders: Mapping[int, Collection[str]], resources: Collection[Resourceful]
) -> list[list[int]]:
    """Who may approve a booking on all of these resources, the nearest first; each person once."""
    deciding = [grant for grant in grants if grant.right in DECIDES]
    by_round: dict[int, list[int]] = {}
    for person, codes in holders.items():
        his = {grant.scope for grant in deciding if grant.code in codes}
        nearest = [next((n for n, scope in enumerate(scopes_of(one)) if scope in his), None) for one in resources]
        found = [one for one in nearest if one is not None]
        if found and len(found) == len(nearest):
            by_round.setdefault(max(found), []).append(person)
    return [by_round[n] for n in sorted(by_round)]


def asked_rounds(tx: Tx, portal: Portal, resources: Collection[Resourceful], now: datetime) -> list[list[int]]:
    """The same for a portal, administrators last; who is away is not asked, but whoever stands in for him."""
    grants = rules.all_grants(tx, portal.id)
    holders = approval.holders(tx, portal.id, {one.code for one in grants if one.right in DECIDES})
    nearest = [*rounds(grants, holders, resources), approval.administrators(tx, portal.id)]
    instead, told = approval.stand_ins(tx, portal.id, now), set[int]()
    found = []
    for people in nearest:
        fresh = [one for one in dict.fromkeys(instead.get(person, person) for person in people) if one not in told]
        told.update(fresh[:MOST_TOLD])
        if fresh:
            found.append(fresh[:MOST_TOLD])
    return found


def asked(tx: Tx, portal: Portal, booking: Booking, resources: Collection[Resourceful], now: datetime) -> list[Fact]:
    """What is told of a new request, to those who are asked first. One that is imported is told to nobody."""
    found = asked_rounds(tx, portal, resources, now) if booking.source != "import" else []
    return _facts(booking, 0, found[0], ASKED) if found else []


def _facts(booking: Booking, number: int, people: Iterable[int], code: str) -> list[Fact]:
    """Of a series each person hears once."""
    whose = f"s{booking.series_id}" if booking.series_id else booking.id.hex
    params = {"actor": booking.created_by, **({"together": True} if booking.series_id else {})}
    author = booking.created_by.removeprefix("user:")
    return [
        Fact(f"{whose}:waits:{number}:{person}", NOTICE, code, person, params)
        for person in people
        if str(person) != author
    ]


def escalate(tx: Tx, portal: Portal, booking_id: uuid.UUID, now: datetime) -> bool:
    """Tells the next ones of a request that nobody has answered; whether anybody was due to hear of it.

    Asked again it tells nobody twice. Those who were asked first hear nothing more: it stands in their list.
    """
    every = PortalSettings.from_json(portal.settings).escalate_hours
    booking = queries.lock_bookings(tx, portal.id, [booking_id]).get(booking_id)
    if not every or booking is None or not _waits(booking, now):
        return False
    passed = int((now - booking.created_at) / timedelta(hours=every))
    on = queries.resources_of_bookings(tx, portal.id, [booking.id]).get(booking.id, ())
    due = list(enumerate(asked_rounds(tx, portal, on, now)))[1 : passed + 1]
    facts = [fact for number, people in due for fact in _facts(booking, number, people, ASKED_NEXT)]
    deliveries.plan(tx, booking, facts, now, number=booking.revision)
    if facts:
        refs.wake(tx, portal.id)
    return bool(facts)


def _waits(booking: Booking, now: datetime) -> bool:
    asks = booking.stage == Stage.PREBOOKED and booking.needs_approval
    return asks and booking.held_until is not None and booking.held_until > now


# In absence ----


@dataclass(frozen=True, slots=True)
class Away:
    """Until when somebody is away, and who approves meanwhile what he would."""

    stand_in: int
    until: datetime


def set_away(tx: Tx, portal: Portal, person: int, away: Away | None, *, viewer: Viewer, now: datetime) -> None:
    """From now on, or (None) no more. Everybody for himself, administrators for all.

    Raises NotAllowed, NotFound and InvalidInput.
    """
    if person != viewer.user_id and not viewer.is_admin:
        raise NotAllowed("away")
    if away and (wrong := _wrong(tx, portal, person, away, now)):
        raise InvalidInput(wrong)
    before = approval.set_away(tx, portal.id, person, away.stand_in if away else None, away.until if away else None)
    name = tenancy.user_names(tx, portal.id, [person]).get(person, "")
    then = Away(before.stand_in, before.until) if before else None
    changes.record(tx, portal, viewer.actor, "absence", person, name, None, then, away, now)


def _wrong(tx: Tx, portal: Portal, person: int, away: Away, now: datetime) -> dict[str, str]:
    """Two who stand in for each other would leave nobody; a longer chain is not followed anyway."""
    wrong = {}
    if away.stand_in == person:
        wrong["stand_in"] = "oneself"
    elif away.stand_in not in approval.employed(tx, portal.id, [away.stand_in]):
        wrong["stand_in"] = "unknown_user"
    elif away.stand_in in approval.stand_ins(tx, portal.id, now):
        wrong["stand_in"] = "away_too"
    if not now < away.until <= now + LONGEST_ABSENCE:
        wrong["until"] = "out_of_range"
    return wrong
