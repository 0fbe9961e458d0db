"""Where the installer works, what it may end with, and the one place where it remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from b24app.bitrix.client import BatchResult, Command, PortalClient
from b24app.errors import AppError
from b24app.ledger import tenancy
from b24app.ledger.session import Engine, transaction
from b24app.sync.laid import LaidCrm

DONE, UNAVAILABLE, FAILED, SKIPPED = "done", "unavailable", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Site:
    """One portal while the application is laid down in it. `client` speaks with the administrator's own token.

    `open_to_all`: whether every employee may see the smart processes that are made now.
    """

    engine: Engine
    client: PortalClient
    portal_id: int
    app_url: str
    language: str
    open_to_all: bool
    now: datetime

    def laid(self) -> LaidCrm:
        """What is remembered of this portal's CRM."""
        with transaction(self.engine) as tx:
            return LaidCrm.from_json(tenancy.lock_tenant(tx, self.portal_id).portal.crm)

    def amend(self, change: Callable[[LaidCrm], LaidCrm]) -> LaidCrm:
        """Keeps what `change` makes of what is remembered now; another window may be at work as well."""
        with transaction(self.engine) as tx:
            portal = tenancy.lock_tenant(tx, self.portal_id).portal
            laid = change(LaidCrm.from_json(portal.crm))
            portal.crm = laid.to_json()
        return laid


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended. `code` is ours or the portal's own; `detail` what was found or made, for the screen."""

    state: str
    code: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class NotHere(AppError):
    """The portal's plan does not include this: the step ends as "not available here", the rest works."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def all_of(client: PortalClient, commands: Mapping[str, Command]) -> dict[str, Any]:
    """The results of a batch of which every command has to succeed; raises the first error."""
    return expect_all(client.batch(commands, halt=True)).results


def expect_all(answers: BatchResult) -> BatchResult:
    """The same answers; raises the first error among them."""
    for error in answers.errors.values():
        raise error
    return answers
