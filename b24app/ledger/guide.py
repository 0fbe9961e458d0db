"""What the guide remembers of a portal: `portal.guide`."""

from __future__ import annotations

from typing import Any

from b24app.ledger import rules
from b24app.ledger.session import Tx


def keep(tx: Tx, portal_id: int, **values: Any) -> None:
    """These values beside the others; None takes one away. Locks the portal's row."""
    row = rules.lock_portal(tx, portal_id)
    known = {**row.guide, **values}
    row.guide = {name: value for name, value in known.items() if value is not None}
    tx.flush()
