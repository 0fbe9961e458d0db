"""What was changed in the settings, written down by whoever changes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from b24app.booking.plain import plain
from b24app.ledger import changes
from b24app.ledger.access import Actor
from b24app.ledger.models import Portal
from b24app.ledger.session import Tx


def record(
    tx: Tx,
    portal: Portal,
    actor: Actor,
    kind: str,
    subject_id: int | None,
    name: str,
    action: str | None,
    before: Any,
    after: Any,
    now: datetime,
) -> None:
    """Writes down that `before` (dataclass or plain value; None: it was not there) has become `after`.

    Nothing when they are the same. `action` None: added, changed or removed, as they say. Call it after the change.
    """
    before, after = plain(before), plain(after)
    if before == after:
        return
    changes.add(
        tx,
        portal.id,
        {
            "at": now,
            "actor": str(actor),
            "kind": kind,
            "subject_id": subject_id,
            "name": name,
            "action": action or _action(before, after),
            "before": before,
            "after": after,
        },
    )


def _action(before: Any, after: Any) -> str:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"
