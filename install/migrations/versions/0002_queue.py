"""The job queue's own tables and functions, in the same database so that a job commits with its cause."""

# Forward only. The script is the one of the pinned procrastinate; a newer one brings migrations of its own, each of
# which becomes a migration here.
from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # exec_driver_sql passes the text as it is, but the driver reads "%" as a parameter unless it is doubled.
    op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
