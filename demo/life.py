"""One booking of the demo from its beginning on: made in good time, then paid, confirmed, kept or not, as life goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from b24app.booking.attendance import check_in, complete_booking, mark_no_show, settle_due
from b24app.booking.change import cancel_booking, confirm_booking
from b24app.booking.payments import MoneyData, record_payment
from b24app.booking.reserve import BookingRequest, book
from b24app.errors import PolicyViolation, SlotTaken
from b24app.ledger import queries
from b24app.ledger.access import Viewer
from b24app.ledger.models import Booking, Portal
from b24app.ledger.session import Session
from b24app.scheduling.interval import Interval
from b24app.scheduling.stage import Stage

SOON, PROMPTLY, LATE = timedelta(minutes=30), timedelta(minutes=5), timedelta(minutes=20)
REMEMBERED = timedelta(days=2)  # so long nobody has answered how a booking ended that is asked about
METHODS = ("terminal", "transfer", "cash")


@dataclass(frozen=True)
class Story:
    """A booking that stands in the ledger, told until `now`; `then` is when it was made."""

    tx: Session
    portal: Portal
    booking: Booking
    wanted: Interval
    viewer: Viewer
    then: datetime
    now: datetime

    @property
    def soon(self) -> datetime:
        """A little after it was made."""
        return min(self.then + SOON, self.now)


def live(
    tx: Session, portal: Portal, request: BookingRequest, steps: Sequence[str], *, viewer: Viewer, staff: Viewer,
    then: datetime, now: datetime,
) -> bool:  # fmt: skip
    """Books at `then` and takes these steps, each by `staff` and as far as it has a meaning; what is over is finished.

    False for a wish that does not fit: it is forgotten.
    """
    try:
        with tx.begin_nested():
            made = book(tx, portal, request, viewer=viewer, now=then)
    except (PolicyViolation, SlotTaken):
        return False
    story = Story(tx, portal, made, request.interval, staff, then, now)
    for step in steps:
        STEPS[step](story)
    _finish(story)
    return True


def _pay(story: Story) -> None:
    _record(story, queries.money(story.tx, story.portal.id, story.booking.id).price)


def _pay_deposit(story: Story) -> None:
    _record(story, Decimal(story.booking.terms.get("deposit", 0)))


def _record(story: Story, amount: Decimal) -> None:
    if amount:
        data = MoneyData("payment", amount, METHODS[story.booking.number % len(METHODS)], story.soon.date())
        record_payment(story.tx, story.portal, story.booking.id, data, viewer=story.viewer, now=story.soon)


def _confirm(story: Story) -> None:
    if story.booking.stage == Stage.PREBOOKED and story.booking.policy["winner"] != "payment":
        _change(story, confirm_booking, story.soon)


def _cancel(story: Story) -> None:
    _change(story, cancel_booking, story.soon)


def _come(story: Story) -> None:
    at = story.wanted.start + PROMPTLY
    if at <= story.now and story.booking.stage == Stage.CONFIRMED:
        _change(story, check_in, at)


def _stay_away(story: Story) -> None:
    at = story.wanted.start + LATE
    if at <= story.now and story.booking.stage == Stage.CONFIRMED:
        _change(story, mark_no_show, at)


def _change(story: Story, use_case: Callable[..., Booking], at: datetime) -> None:
    use_case(story.tx, story.portal, story.booking.id, revision=story.booking.revision, viewer=story.viewer, now=at)


STEPS: dict[str, Callable[[Story], None]] = {
    "paid": _pay, "deposit": _pay_deposit, "confirm": _confirm, "cancel": _cancel, "come": _come,
    "no_show": _stay_away,
}  # fmt: skip


def _finish(story: Story) -> None:
    """What the worker has done meanwhile; of what it asks about only the latest is unanswered."""
    if story.wanted.end > story.now:
        return
    settle_due(story.tx, story.portal, story.booking.id, story.wanted.end)
    if story.booking.stage == Stage.CONFIRMED and story.wanted.end < story.now - REMEMBERED:
        _change(story, complete_booking, story.wanted.end + LATE)
