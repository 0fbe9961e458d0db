"""The named tasks. Each calls one function; the names are what `ledger.queue.defer` is given."""

from __future__ import annotations

import procrastinate

from b24app.jobs.app import app, tools_of
from b24app.ledger import refs
from b24app.sync import projection


@app.task(name=refs.DRAIN, pass_context=True)
def drain(context: procrastinate.JobContext, portal_id: int) -> None:
    """Draws in the portal what is behind there."""
    tools = tools_of(context)
    projection.drain(tools.reach, portal_id, tools.pace)
