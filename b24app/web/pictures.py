"""Whether the portal has a booking: its item, its events, its deal, and what it has not accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from b24app import texts
from b24app.ledger.models import ExternalRef, Portal
from b24app.sync.laid import LaidCrm
from b24app.web.standing import Look

Named = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the booking in the portal. `state`: there, waiting or parked; `path` opens it there.

    `why`: what the portal said when it did not accept it; `again`: how often that was tried, and when it is next.
    """

    kind: str
    words: str
    state: str
    path: str
    why: str = ""
    again: str = ""


@dataclass(frozen=True, slots=True)
class InPortal:
    """All pictures of a booking in the portal."""

    pictures: tuple[Picture, ...]

    @property
    def waiting(self) -> bool:
        return any(picture.state == "waiting" for picture in self.pictures)

    @property
    def parked(self) -> list[Picture]:
        return [picture for picture in self.pictures if picture.state == "parked"]

    @property
    def has_event(self) -> bool:
        """Whether some calendar shows it, or will."""
        return any(picture.kind == "event" for picture in self.pictures)

    @property
    def card(self) -> str:
        """Where its item is opened, "" while there is none."""
        return next((picture.path for picture in self.pictures if picture.kind == "item"), "")

    @property
    def again(self) -> str:
        """How often what has not been accepted was tried."""
        return next((picture.again for picture in self.pictures if picture.again), "")


def in_portal(look: Look, number: int, known: Sequence[ExternalRef], named: Named) -> InPortal:
    """What the portal has of a booking. A picture that was taken away there is not shown; product rows only while
    something is wrong with them, and of a deal nothing but that: its link stands beside the client."""
    found = (_picture(look, number, ref, named) for ref in known)
    return InPortal(tuple(one for one in found if one and (one.kind in ("item", "event") or one.state == "parked")))


def _picture(look: Look, number: int, ref: ExternalRef, named: Named) -> Picture | None:
    words, path = _words(number, ref, named), _path(look.portal, ref)
    if ref.parked_reason is not None:
        return Picture(ref.kind, words, "parked", path, reason(look.language, ref.parked_reason), _again(look, ref))
    if ref.dirty_since is not None:
        return Picture(ref.kind, words, "waiting", path, again=_again(look, ref))
    return Picture(ref.kind, words, "there", path) if ref.remote_id is not None else None


def _words(number: int, ref: ExternalRef, named: Named) -> str:
    if ref.kind == "item":
        return _("Item “Booking No. %(number)s”", number=number)
    if ref.kind == "event":
        return _event(ref.target, named)
    return _("Deal") if ref.kind == "deal" else _("Product rows of the item")


def _event(target: str, named: Named) -> str:
    """In whose calendar it stands."""
    kind, _colon, owner = target.partition(":")
    if kind == "user":
        return _("Event in the calendar: %(name)s", name=named(int(owner)))
    return _("Event in the workgroup’s calendar") if kind == "group" else _("Event in the company’s calendar")


def _path(portal: Portal, ref: ExternalRef) -> str:
    if ref.remote_id is None:
        return ""
    if ref.kind == "item":
        bookings = LaidCrm.from_json(portal.crm).bookings
        return f"/crm/type/{bookings.entity_type_id}/details/{ref.remote_id}/" if bookings else ""
    if ref.kind == "event":
        return f"{_calendar(ref.target)}?EVENT_ID={ref.remote_id}"
    return f"/crm/deal/details/{ref.remote_id}/" if ref.kind == "deal" else ""


def _calendar(target: str) -> str:
    kind, owner = (*target.split(":"), "")[:2]
    paths = {"user": f"/company/personal/user/{owner}/calendar/", "group": f"/workgroups/group/{owner}/calendar/"}
    return paths.get(kind, "/calendar/")


def reason(language: str, code: str) -> str:
    """Our own reasons are codes with words; the portal's come in its own."""
    said = texts.say(language, f"parked.{code}")
    return code if said == f"parked.{code}" else said


def _again(look: Look, ref: ExternalRef) -> str:
    """«3 попытки, следующая в 11:40»; nothing while the first is under way."""
    if not ref.attempts:
        return ""
    tries = texts.say(look.language, "tries", count=ref.attempts)
    if ref.due_at is None or ref.parked_reason is not None:
        return tries
    return _("%(tries)s, the next one at %(time)s", tries=tries, time=look.moment(ref.due_at))
