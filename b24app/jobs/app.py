"""The queue's application: which tasks there are, and what they work with. The queue is in the ledger's database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import procrastinate

from b24app.ledger.session import Engine
from b24app.sync.pace import Pace
from b24app.sync.tokens import Reach

# `worker` puts a connector to the database in its place; until then nothing is opened.
app = procrastinate.App(connector=procrastinate.PsycopgConnector())


@dataclass(frozen=True, slots=True)
class Tools:
    """What one worker process works with. `dead_after`: seconds of silence after which a worker counts as dead."""

    reach: Reach
    dead_after: float
    pace: Pace = field(default_factory=Pace)

    @property
    def engine(self) -> Engine:
        """The ledger."""
        return self.reach.engine

    @property
    def clock(self) -> Callable[[], datetime]:
        """The time, in UTC."""
        return self.reach.clock


def tools_of(context: procrastinate.JobContext) -> Tools:
    """The tools of the worker that runs this job."""
    return cast(Tools, context.additional_context["tools"])
