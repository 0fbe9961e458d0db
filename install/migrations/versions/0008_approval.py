"""Departments within departments, members of project groups, and who stands in for whom."""

# Forward only.
from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "membership",
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("wider", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("portal_id", "code", "wider"),
    )
    op.create_table(
        "directory",
        sa.Column("portal_id", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("names", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portal.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("portal_id"),
    )
    op.add_column("portal_user", sa.Column("stand_in", sa.BigInteger(), nullable=True))
    op.add_column("portal_user", sa.Column("away_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "portal_user_stand_in",
        "portal_user",
        ["portal_id", "stand_in"],
        postgresql_where=sa.text("stand_in IS NOT NULL"),
    )
