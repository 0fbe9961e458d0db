"""What was changed in the settings of a portal: the newest first, by batch or by what was changed."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from b24app.errors import NotFound
from b24app.ledger.portal_models import SettingChange

BATCH = "setting_changes"  # where a transaction remembers its batch


def batch_of(tx: Session) -> uuid.UUID:
    """The batch of this transaction: whatever it changes is one."""
    found = tx.info.get(BATCH)
    if not isinstance(found, uuid.UUID):
        found = tx.info[BATCH] = uuid.uuid4()
    return found


def add(tx: Session, portal_id: int, values: dict[str, Any]) -> None:
    """Writes one change down, in the batch of this transaction."""
    tx.add(SettingChange(portal_id=portal_id, batch=batch_of(tx), **values))
    tx.flush()


def newest(
    tx: Session, portal_id: int, *, before_id: int | None = None, kind: str = "", limit: int = 50
) -> list[SettingChange]:
    """The last ones, the newest first; with `before_id` those that came before that one."""
    query = select(SettingChange).where(SettingChange.portal_id == portal_id)
    if before_id is not None:
        query = query.where(SettingChange.id < before_id)
    if kind:
        query = query.where(SettingChange.kind == kind)
    return list(tx.scalars(query.order_by(SettingChange.id.desc()).limit(limit)))


def of_batch(tx: Session, portal_id: int, batch: uuid.UUID) -> list[SettingChange]:
    """Everything of one batch, the last first, as it is undone; raises NotFound."""
    query = select(SettingChange).where(SettingChange.portal_id == portal_id, SettingChange.batch == batch)
    return _locked(tx, query.order_by(SettingChange.id.desc()))


def one(tx: Session, portal_id: int, change_id: int) -> SettingChange:
    """One change, locked until the transaction ends; raises NotFound."""
    return _locked(
        tx, select(SettingChange).where(SettingChange.portal_id == portal_id, SettingChange.id == change_id)
    )[0]


def _locked(tx: Session, query: Any) -> list[SettingChange]:
    found = list(tx.scalars(query.with_for_update().execution_options(populate_existing=True)))
    if not found:
        raise NotFound("change")
    return found


def mark_undone(tx: Session, portal_id: int, change_ids: Collection[int], now: datetime) -> None:
    """These are no longer in force."""
    tx.execute(
        update(SettingChange)
        .where(SettingChange.portal_id == portal_id, SettingChange.id.in_(change_ids))
        .values(undone_at=now)
    )


def names(tx: Session, portal_id: int, kind: str) -> dict[int, str]:
    """How things of this kind were last called, those that are gone as well, by id."""
    newest_of = (
        select(func.max(SettingChange.id))
        .where(SettingChange.portal_id == portal_id, SettingChange.kind == kind)
        .group_by(SettingChange.subject_id)
    )
    rows = tx.execute(
        select(SettingChange.subject_id, SettingChange.name).where(
            SettingChange.portal_id == portal_id, SettingChange.id.in_(newest_of)
        )
    )
    return {subject: name for subject, name in rows if subject is not None}
