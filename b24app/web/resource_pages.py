"""What is asked before several resources change, or one is archived."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from b24app import texts
from b24app.booking.holidays import countries
from b24app.booking.resources import STEPS
from b24app.ledger.models import Resource
from b24app.ledger.queries import BookingRow
from b24app.web import standing
from b24app.web.forms_facilities import ArchiveForm, BulkForm
from b24app.web.settings import Choices, FormPage
from b24app.web.standing import Pill
from b24app.web.visit import Visit, now


@dataclass(slots=True)
class BulkPage(FormPage):
    """What templates/resources/_together.html shows. `of`: the resource with which something was wrong."""

    form: BulkForm
    names: Mapping[int, str] = field(default_factory=dict)
    ahead: int = 0
    language: str = ""
    of: str = ""

    @property
    def steps(self) -> Choices:
        return [(one, texts.duration(self.language, one)) for one in STEPS[1:]]

    @property
    def countries(self) -> Choices:
        return [
            (BulkForm.NO_HOLIDAYS, _("Open as on other days")),
            *((code, texts.country(self.language, code)) for code in countries()),
        ]


@dataclass(frozen=True, slots=True)
class Ahead:
    """A booking that is not over, as it is told before its resource is archived."""

    id: uuid.UUID
    number: int
    when: str
    what: str
    pill: Pill


@dataclass(slots=True)
class ArchivePage(FormPage):
    """What templates/resources/_archive.html shows. `cancelled`: what was chosen to be cancelled already."""

    form: ArchiveForm
    resource: Resource | None = None
    bookings: Sequence[Ahead] = ()
    cancelled: set[uuid.UUID] = field(default_factory=set)


def ahead_line(visit: Visit, row: BookingRow, zone: ZoneInfo) -> Ahead:
    """One of them."""
    at: datetime = now()
    return Ahead(
        id=row.booking.id,
        number=row.booking.number,
        when=texts.period(visit.language, row.interval.start, row.interval.end, zone),
        what=row.booking.title or (row.client.name if row.client else row.service.name),
        pill=standing.pill(visit.language, row.booking, at),
    )
