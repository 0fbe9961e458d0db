"""One REST call on its way through the portal, and the register of methods.

A handler is a function of a ``Call`` that returns plain JSON values, or a ``Page`` for lists. It is registered with
``@method("crm.item.add", scope="crm", write=True)`` and raises ``RestError`` to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.errors import RestError, access_denied, argument_error, missing_parameter
from emulator.state import AppCard, Portal, Token, User, World

PAGE = 50


@dataclass
class Call:
    """Who asks what: ``card`` is None for an inbound webhook, whose calls have no application context."""

    world: World
    portal: Portal
    method: str
    params: dict[str, Any]
    user: User
    card: AppCard | None
    scopes: frozenset[str]
    now: float
    token: Token | None = None
    address: str = ""
    charged: dict[str, float] = field(default_factory=dict)

    @property
    def client_id(self) -> str:
        return self.card.client_id if self.card else ""

    @property
    def caller(self) -> str:
        """Whom limits and options are counted for: the application, or the webhook's user."""
        return self.client_id or f"webhook:{self.user.id}"

    def arg(self, name: str, default: Any = None) -> Any:
        """A top-level parameter in whatever case the caller wrote its name."""
        if name in self.params:
            return self.params[name]
        wanted = name.lower()
        return next((value for key, value in self.params.items() if key.lower() == wanted), default)

    def need(self, name: str) -> Any:
        """A required parameter of a classic method; raises ERROR_ARGUMENT."""
        value = self.arg(name)
        if value in (None, "", [], {}):
            raise argument_error(name)
        return value

    def exact(self, name: str) -> Any:
        """A required, case-sensitive parameter of a controller method; raises error 100."""
        if self.params.get(name) is None:
            raise missing_parameter(name)
        return self.params[name]

    def number(self, name: str) -> int:
        """A required whole number of a controller method."""
        return whole(self.exact(name), name)

    def require_admin(self, status: int = 403) -> None:
        if not self.user.is_admin:
            raise access_denied(status=status)

    def page(self, rows: list[Any], wrap: str = "") -> Page:
        """The page of ``rows`` that ``start`` asks for; under the key ``wrap`` where the method has one."""
        return paged(rows, self.arg("start"), wrap)


@dataclass
class Page:
    """A list answer: ``total`` and ``next`` stand beside ``result``, at the top of the envelope."""

    result: Any
    total: int | None
    next: int | None = None


@dataclass(frozen=True)
class Method:
    name: str
    handler: Callable[[Call], Any]
    scope: str
    write: bool
    app_only: bool


REGISTER: dict[str, Method] = {}


def method(
    name: str, *, scope: str = "basic", write: bool = False, app_only: bool = False
) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Register a handler. ``scope`` may join several with "+"; ``write`` commands cost time in profile "cloud"."""

    def register(handler: Callable[[Call], Any]) -> Callable[[Call], Any]:
        REGISTER[name.lower()] = Method(name.lower(), handler, scope, write, app_only)
        return handler

    return register


def paged(rows: list[Any], start: Any, wrap: str = "", size: int = PAGE) -> Page:
    """Cut a page out of all rows: ``start`` is rounded down to whole pages, -1 leaves counting out.

    Documented in "list-methods-pecularities" and "huge-data" of the REST documentation.
    """
    offset = integer(start, 0)
    if offset < 0:
        return Page(_wrapped(rows[:size], wrap), 0)
    offset -= offset % size
    after = offset + size
    more = after if after < len(rows) else None
    return Page(_wrapped(rows[offset:after], wrap), len(rows), more)


def _wrapped(rows: list[Any], wrap: str) -> Any:
    return {wrap: rows} if wrap else rows


def integer(value: Any, default: int = 0) -> int:
    """A whole number out of JSON or a form, PHP-like: what is no number is the default."""
    try:
        return int(str(value).strip())
    except ValueError:
        return default


def whole(value: Any, name: str) -> int:
    """A whole number, or error 100 as the controllers answer a value of another type."""
    try:
        return int(str(value).strip())
    except ValueError:
        raise RestError(
            100, f"Invalid value {{{value}}} to match with parameter {{{name}}}. Should be value of type int."
        ) from None


def truth(value: Any) -> bool:
    """Yes or no as clients write it: Y/N, 1/0, true/false, JSON booleans."""
    return value in (True, 1) or str(value).lower() in ("y", "1", "true")


def php_truth(value: Any) -> bool:
    """Truth of PHP: any string but "" and "0" is true, so is the string "false"."""
    return value not in (None, False, 0, "", "0", [], {})


def values(value: Any) -> list[Any]:
    """A list out of a JSON list, a PHP map, or a single value."""
    if value in (None, ""):
        return []
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def mapping(value: Any) -> dict[str, Any]:
    """A map out of what a client sent: an empty or sequential PHP array arrives as a list."""
    if isinstance(value, Mapping):
        return {str(key): one for key, one in value.items()}
    return {str(index): one for index, one in enumerate(value)} if isinstance(value, (list, tuple)) else {}


def or_list(value: Mapping[Any, Any]) -> Any:
    """PHP has one kind of array: an empty map is written as [], keys 0..n-1 as a JSON list."""
    if [str(key) for key in value] == [str(index) for index in range(len(value))]:
        return list(value.values())
    return dict(value)


def pick(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}
