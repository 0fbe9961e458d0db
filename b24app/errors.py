"""Everything that can go wrong, and who can mend it.

    AppError
    ├─ Refused                 nothing changed; tell the person          → 403, 404, 409, 422
    │    InvalidInput(fields)  PolicyViolation(violations)  SlotTaken(interval)
    │    NotAllowed(action)    NotFound(kind)               Stale(revision)
    ├─ Retryable(delay)        time will fix it                          → later, by the worker
    │    RateLimited  PortalUnavailable  ProviderUnavailable
    └─ Permanent               somebody must act                         → parked, shown in settings
         Misconfigured(setting)  InstallationRevoked(code)  Rejected(code)

They carry data, not sentences: words for people are made in `web/`, `texts` and `templates/`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class AppError(Exception):
    """Anything this application raises on purpose."""


class Refused(AppError):
    """Nothing was changed, and a person can do something about it."""


class InvalidInput(Refused):
    """The shape of what was sent is wrong. `fields` maps a field's name to a code that `texts` knows."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(dict(fields))
        self.fields = dict(fields)


class PolicyViolation(Refused):
    """The company's rules do not allow this. `violations` are `scheduling.policy.Violation`, all at once."""

    def __init__(self, violations: Sequence[Any]) -> None:
        super().__init__(list(violations))
        self.violations = tuple(violations)


class SlotTaken(Refused):
    """Somebody else holds this time. `interval` is what was asked for, `obstacles` say what is in the way."""

    def __init__(self, interval: Any, obstacles: Sequence[Any] = ()) -> None:
        super().__init__(interval)
        self.interval = interval
        self.obstacles = tuple(obstacles)


class NotAllowed(Refused):
    """This person has no right to do `action` (a code that `texts` knows). `about`: resources that he lacks it for."""

    def __init__(self, action: str, about: Sequence[int] = ()) -> None:
        super().__init__(action)
        self.action = action
        self.about = tuple(about)


class NotFound(Refused):
    """No such `kind` here: it does not exist, or it is another portal's."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Stale(Refused):
    """Somebody changed it meanwhile; `revision` is the one in force now."""

    def __init__(self, revision: int) -> None:
        super().__init__(revision)
        self.revision = revision


class Retryable(AppError):
    """Time will fix it. `delay` is how many seconds to wait at least, when the far side said so."""

    def __init__(self, reason: str = "", delay: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


class RateLimited(Retryable):
    """The portal asks us to slow down."""


class PortalUnavailable(Retryable):
    """The portal did not answer properly. `uncertain` says that it may have acted all the same."""

    def __init__(self, reason: str = "", delay: float | None = None, *, uncertain: bool = False) -> None:
        super().__init__(reason, delay)
        self.uncertain = uncertain


class ProviderUnavailable(Retryable):
    """A mail server, gateway or payment service did not answer properly."""


class Permanent(AppError):
    """Time will not fix it: somebody must act."""


class Misconfigured(Permanent):
    """`setting` is missing or wrong."""

    def __init__(self, setting: str, why: str = "") -> None:
        super().__init__(f"{setting}: {why}" if why else setting)
        self.setting = setting


class InstallationRevoked(Permanent):
    """The portal or the authorization server no longer knows this installation or this token's user."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Rejected(Permanent):
    """The far side understood and said no. `code` is its own code, `description` its own words.

    Written out it is the code alone: people's names may stand in the words, and what is written out gets into logs.
    """

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.description = description
