"""The guide: what was answered, what came of it, and which sample data stands in a portal."""

# Forward only.
from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "portal",
        sa.Column("guide", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
    )
