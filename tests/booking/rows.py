"""What the ledger holds, as one transaction sees it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from b24app.ledger.models import Base


def everything(tx: Session) -> dict[str, list[Any]]:
    """Every row of every table, as text: two of them are equal when nothing was changed."""
    tx.flush()
    return {
        table.name: sorted(map(str, tx.execute(text(f'SELECT * FROM "{table.name}"')).all()))
        for table in Base.metadata.sorted_tables
    }
