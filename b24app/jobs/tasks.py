"""The named tasks. Each calls one function; the names are what `ledger.queue.defer` is given."""

from __future__ import annotations

import procrastinate

from b24app.jobs.app import app, tools_of
from b24app.ledger import refs
from b24app.ledger.directory import REFRESH
from b24app.ledger.sweeps import SWEEP
from b24app.sync import directory, in_step, sweep


@app.task(name=refs.DRAIN, pass_context=True)
def drain(context: procrastinate.JobContext, portal_id: int) -> None:
    """Keeps a portal in step: looks at what was changed there, draws what is behind."""
    tools = tools_of(context)
    in_step.keep_in_step(tools.reach, portal_id, tools.pace)


@app.task(name=SWEEP, pass_context=True)
def sweep_portal(context: procrastinate.JobContext, portal_id: int, asked_by: str) -> None:
    """Compares a portal with the ledger; what differs is then looked at."""
    sweep.sweep(tools_of(context).reach, portal_id, asked_by)


@app.task(name=REFRESH, pass_context=True)
def refresh_directory(context: procrastinate.JobContext, portal_id: int) -> None:
    """Reads departments and groups to which rights are given."""
    directory.refresh(tools_of(context).reach, portal_id)
