"""Making what the guide was told, and taking it back: one transaction, one batch of the log of changes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from b24app.booking import configuration, configuration_apply, configuration_read, undo
from b24app.booking.configuration import Configuration, Step
from b24app.booking.guide import Answers, wanted
from b24app.booking.plain import plain
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import changes, refs, rules
from b24app.ledger import guide as kept
from b24app.ledger.access import Viewer
from b24app.ledger.models import Portal
from b24app.ledger.session import Tx


@dataclass(frozen=True, slots=True)
class Planned:
    """What would be done: `steps` to have what is `wanted`, and the portal's `level` from then on."""

    wanted: Configuration
    steps: tuple[Step, ...]
    level: str
    level_before: str
    revision: int

    @property
    def print(self) -> int:
        """Tells two plans apart: what a person has seen is what is made, or he is shown the other one."""
        return zlib.crc32(repr((self.steps, self.level)).encode())

    @property
    def is_empty(self) -> bool:
        """Whether the portal is so already."""
        return not self.steps and self.level == self.level_before


def planned(
    tx: Tx, portal: Portal, answers: Answers, made: Answers | None, language: str, *, connected: bool,
    now: datetime,
) -> Planned:  # fmt: skip
    """What these answers come to in this portal. `connected`: its CRM is laid down, so that cards can be made there."""
    present = configuration_read.read(tx, portal, now)
    aim = wanted(answers, made, present, language)
    level = portal.level
    if made is None or made.takes_cards != answers.takes_cards:
        level = "B" if answers.takes_cards and connected else "A"
    revision = configuration_apply.revision_of(present)
    return Planned(aim, configuration.plan(present, aim), level, portal.level, revision)


def make(
    tx: Tx, portal: Portal, answers: Answers, plan: Planned, *, shown: int, viewer: Viewer, now: datetime,
    longest_hours: int,
) -> None:  # fmt: skip
    """Makes the portal so. Raises Stale when `shown` was another plan, InvalidInput, NotAllowed."""
    if not viewer.is_admin:
        raise NotAllowed("settings")
    if shown != plan.print:
        raise Stale(plan.print)
    batch = changes.batch_of(tx)
    # This comes first: it locks what all the rest needs, in the order that everybody keeps.
    configuration_apply.apply(
        tx, portal, plan.wanted, viewer=viewer, now=now, longest_hours=longest_hours, revision=plan.revision
    )
    _save_level(tx, portal.id, plan.level, now)
    done = {"answers": plain(answers), "level": plan.level_before, "at": now.isoformat()}
    kept.keep(tx, portal.id, made=done | {"batch": str(batch) if plan.steps else ""})


def take_back(tx: Tx, portal: Portal, *, viewer: Viewer, now: datetime, longest_hours: int) -> None:
    """Undoes what was made last, the level too. Raises InvalidInput, Stale, NotAllowed."""
    if not viewer.is_admin:
        raise NotAllowed("settings")
    made = portal.guide.get("made")
    if not made:
        raise InvalidInput({"made": "nothing_to_undo"})
    if made["batch"]:
        undo.undo(tx, portal, UUID(made["batch"]), viewer=viewer, now=now, longest_hours=longest_hours)
    _save_level(tx, portal.id, made["level"], now)
    kept.keep(tx, portal.id, made=None)


def _save_level(tx: Tx, portal_id: int, level: str, now: datetime) -> None:
    """From now on bookings become cards of the CRM (B) or stay out of it (A); those that have one keep it."""
    refs.hold(tx, portal_id)
    row = rules.lock_portal(tx, portal_id)
    if row.level == level:
        return
    row.level = level
    tx.flush()
    if level == "B":
        refs.ensure_refs(tx, row, now)
