"""What is asked of a view of the board, and what it answers with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from b24app.ledger.access import RIGHTS
from b24app.ledger.session import Session
from b24app.ledger.spread import Offered
from b24app.ledger.tenancy import Tenant
from b24app.web.choice import FIRST_DAY, LAST_DAY, Choice
from b24app.web.visit import Visit

STAYS = timedelta(minutes=5)  # so long may a board be kept though nothing is known to have changed


@dataclass(frozen=True, slots=True)
class Ask:
    """One look: by whom, at which day by which clock, at which moment.

    `everything` is what he may see at all, `shown` what of it his choice leaves. The day of `choice` is always there.
    """

    tx: Session
    tenant: Tenant
    visit: Visit
    choice: Choice
    day: date
    zone: ZoneInfo
    at: datetime
    everything: Offered
    shown: Offered

    @property
    def language(self) -> str:
        return self.visit.language

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()

    @property
    def writable(self) -> bool:
        """Whether bookings of this portal may be made and changed at all."""
        return not self.tenant.installation.payment_expired

    @property
    def bookable(self) -> bool:
        """Whether he may book anything of what is shown."""
        needed = RIGHTS.index("request")
        return self.writable and any(self.shown.rights[one.id] >= needed for one in self.shown.shown)

    def shifted(self, days: int) -> date:
        """So many days later, within the calendar of the board."""
        return min(max(self.day + timedelta(days=days), FIRST_DAY), LAST_DAY)

    @property
    def longest(self) -> timedelta:
        """How long before a window a booking may have begun that reaches into it."""
        return timedelta(minutes=self.tenant.portal.longest_minutes)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A view as it is put under the tools of the board.

    `title` names the days; `previous` and `next` are where the arrows lead. `until`: epoch seconds after which it looks
    different by itself. `looks`: what the legend has to explain. `aside`: what the view adds to the tools.
    """

    body: Markup
    title: str
    previous: date
    next: date
    until: int | None = None
    looks: frozenset[str] = field(default_factory=frozenset)
    legend: bool = True
    zone_note: str = ""
    aside: Markup = Markup()

    def stays(self, at: datetime) -> datetime:
        """Until when it is right if nobody does anything: a hold may end before."""
        latest = at + STAYS
        return latest if self.until is None else min(latest, datetime.fromtimestamp(self.until, UTC))
