"""Whom access codes mean besides those who have them by themselves. One class per table, as in `models`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from b24app.ledger.models import Base, json_object


class Membership(Base):
    """Who has `code` has `wider` as well: D7 → DR2, because department 7 lies within 2; U5 → SG3 and SG3_K, because
    this person is in project group 3. As `directory` last read it; only what rights are given to is kept of groups."""

    __tablename__ = "membership"

    portal_id: Mapped[int] = mapped_column(ForeignKey("portal.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    wider: Mapped[str] = mapped_column(primary_key=True)


class Directory(Base):
    """When departments and groups of this portal were last read, and asked to be. `problem`: why they cannot be.

    `names`: of departments and groups, by their codes, for saying who may do what without asking the portal.
    """

    __tablename__ = "directory"

    portal_id: Mapped[int] = mapped_column(ForeignKey("portal.id", ondelete="CASCADE"), primary_key=True)
    read_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    problem: Mapped[str] = mapped_column(server_default="")
    names: Mapped[dict[str, Any]] = json_object()
