"""What a portal posts to us, parsed and checked for shape at the door. Nothing here is proof of who is calling.

https://apidocs.bitrix24.com/settings/oauth/simple-way.html, https://apidocs.bitrix24.com/api-reference/events/index.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

from b24app.bitrix.loose import split_scopes, text
from b24app.bitrix.query import BracketError, parse_brackets
from b24app.errors import InvalidInput

MAX_OPTIONS = 64 * 1024
MAX_ID = 2**53

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?")  # it ends in headers and pages
_MEMBER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[!-~]{1,500}")
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_ENTITY_TYPES = {"LEAD": 1, "DEAL": 2, "CONTACT": 3, "COMPANY": 4, "QUOTE": 7, "SMART_INVOICE": 31}
_EVENT_TOKEN = re.compile(r"[!-~]{1,1000}")
_DOCUMENT = re.compile(r"(?:[A-Z_]{1,30}|DYNAMIC_\d{1,9})_\d{1,16}")
_CRM_PLACE = re.compile(r"CRM_(LEAD|DEAL|CONTACT|COMPANY|QUOTE|SMART_INVOICE|DYNAMIC_(\d{1,9}))_[A-Z_]+")


class BadPayload(InvalidInput):
    """`field` of what was posted is `code`: missing, malformed, too_long, depth, keys, name, size."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__({field: code})
        self.field = field
        self.code = code


@runtime_checkable
class MultiForm(Protocol):
    """A form where one name may come several times (Werkzeug's MultiDict is one)."""

    def lists(self) -> Iterable[tuple[str, list[str]]]:
        """Each name with all of its values."""


@dataclass(frozen=True, slots=True)
class PlacementCall:
    """The portal opened our page, a placement or the installer. `domain`, `status` and `options` are claims.

    Tokens are empty for a visitor without access to the application; what old portals do not send is None.
    """

    domain: str
    https: bool
    lang: str
    app_sid: str
    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str = field(repr=False)
    server_endpoint: str | None
    application_token: str | None = field(repr=False)
    scopes: tuple[str, ...] | None
    member_id: str
    status: str
    placement: str
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, query: Mapping[str, str], form: Mapping[str, str]) -> Self:
        """Read the frame's request; the body wins over the query string. Raises BadPayload."""
        posted = _Fields({**dict(query), **dict(form)})
        scopes = posted.optional("APPLICATION_SCOPE", None, 4000)
        return cls(
            domain=posted.required("DOMAIN", _HOST).lower(),
            https=posted.required("PROTOCOL", re.compile("[01]")) == "1",
            lang=(posted.optional("LANG", re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?")) or "en").lower(),
            app_sid=posted.optional("APP_SID", _WORD) or "",
            access_token=posted.optional("AUTH_ID", _TOKEN) or "",
            expires_in=posted.whole("AUTH_EXPIRES", 3600),
            refresh_token=posted.optional("REFRESH_ID", _TOKEN) or "",
            server_endpoint=posted.optional("SERVER_ENDPOINT", _TOKEN),
            application_token=posted.optional("APPLICATION_TOKEN", _TOKEN),
            scopes=None if scopes is None else split_scopes(scopes),
            member_id=posted.required("member_id", _MEMBER),
            status=posted.optional("status", re.compile("[A-Za-z]")) or "",
            placement=posted.optional("PLACEMENT", _WORD) or "DEFAULT",
            options=_options(posted.optional("PLACEMENT_OPTIONS", None, MAX_OPTIONS)),
        )

    @property
    def entity_id(self) -> int | None:
        """The CRM record that the card claims; None for an unsaved card (`0` or empty) and anything else."""
        value = self.options.get("ID", self.options.get("ENTITY_ID"))
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            return None
        return _id(str(value))

    @property
    def entity_type_id(self) -> int | None:
        """CRM's number for the kind of that record, which only the placement's code tells."""
        match = _CRM_PLACE.fullmatch(self.placement)
        if match is None:
            return None
        return int(match[2]) if match[2] else _ENTITY_TYPES[match[1]]


@dataclass(frozen=True, slots=True)
class PortalEvent:
    """Something happened in a portal. A hint: verified by `application_token`, then read anew by the worker.

    Tokens come only when the acting user is known; `refresh_token` with few events.
    """

    event: str
    data: Mapping[str, Any]
    member_id: str
    domain: str
    sent_at: int
    application_token: str | None = field(repr=False)
    access_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    user_id: int | None
    client_endpoint: str | None
    server_endpoint: str | None
    scopes: tuple[str, ...]
    status: str

    @classmethod
    def parse(cls, form: Mapping[str, str] | Iterable[tuple[str, str]]) -> Self:
        """Read an event's form with its bracketed names. Raises BadPayload."""
        body = _nested(form)
        top, auth = _Fields(body), _Fields(_map(body.get("auth"), "auth"), "auth")
        return cls(
            event=top.required("event", _WORD).upper(),
            data=_map(body.get("data"), "data"),
            member_id=auth.required("member_id", _MEMBER),
            domain=(auth.optional("domain", _HOST) or "").lower(),
            sent_at=top.whole("ts", 0),
            application_token=auth.optional("application_token", _TOKEN),
            access_token=auth.optional("access_token", _TOKEN),
            refresh_token=auth.optional("refresh_token", _TOKEN),
            expires_in=auth.whole("expires_in", 3600),
            user_id=_id(auth.optional("user_id") or ""),
            client_endpoint=auth.optional("client_endpoint", _TOKEN),
            server_endpoint=auth.optional("server_endpoint", _TOKEN),
            scopes=split_scopes(auth.optional("scope", None, 4000)),
            status=auth.optional("status", re.compile("[A-Za-z]")) or "",
        )


@dataclass(frozen=True, slots=True)
class RobotCall:
    """The portal's automation runs a robot of ours and waits for `event_token` to be answered.

    `document` is what it runs for, as DEAL_5 or DYNAMIC_156_29, "" where nothing like that was sent. `properties` by
    code in lower case, each a list of texts: one that was left empty has none. Beside `document_id`, `properties` and
    `auth` nothing is documented. https://apidocs.bitrix24.com/api-reference/bizproc/bizproc-robot/index.html
    """

    code: str
    event_token: str = field(repr=False)
    document: str
    properties: Mapping[str, tuple[str, ...]] = field(repr=False)
    waits: bool
    sent_at: int
    member_id: str
    application_token: str | None = field(repr=False)
    user_id: int | None

    @classmethod
    def parse(cls, form: Mapping[str, str] | Iterable[tuple[str, str]]) -> Self:
        """Read the form with its bracketed names. Raises BadPayload for what could not even be answered."""
        body = _nested(form)
        top, auth = _Fields(body), _Fields(_map(body.get("auth"), "auth"), "auth")
        return cls(
            code=top.required("code", _WORD),
            event_token=top.required("event_token", _EVENT_TOKEN, 1000),
            document=_document(body.get("document_id")),
            properties=_properties(body.get("properties")),
            waits=body.get("use_subscription") != "N",
            sent_at=top.whole("ts", 0),
            member_id=auth.required("member_id", _MEMBER),
            application_token=auth.optional("application_token", _TOKEN),
            user_id=_id(auth.optional("user_id") or ""),
        )


def _document(value: Any) -> str:
    """The last part that looks like a document's id; the others are the module and the class."""
    found = (part for part in reversed(list(_leaves(value))) if _DOCUMENT.fullmatch(part))
    return next(found, "")


def _properties(value: Any) -> dict[str, tuple[str, ...]]:
    """What does not look like properties has none: the robot says then what it lacks, which is better than silence."""
    given = value if isinstance(value, dict) else {}
    return {text(code).lower(): tuple(filter(None, map(text, _leaves(one)))) for code, one in given.items()}


def _leaves(value: Any) -> Iterator[str]:
    """Every text inside, in order."""
    if isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    elif isinstance(value, str):
        yield value


class _Fields:
    """Reads checked strings out of a map, naming the field in every complaint."""

    def __init__(self, values: Mapping[str, Any], within: str = "") -> None:
        self._values = values
        self._within = within

    def required(self, name: str, pattern: re.Pattern[str], limit: int = 500) -> str:
        value = self.optional(name, pattern, limit)
        if value is None:
            raise BadPayload(self._full(name), "missing")
        return value

    def optional(self, name: str, pattern: re.Pattern[str] | None = None, limit: int = 500) -> str | None:
        """The text, or None when it is absent or empty."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and len(value) > limit:
            raise BadPayload(self._full(name), "too_long")
        if not isinstance(value, str) or (pattern and not pattern.fullmatch(value)):
            raise BadPayload(self._full(name), "malformed")
        return value

    def whole(self, name: str, default: int) -> int:
        value = self.optional(name, re.compile(r"[0-9]{1,12}"))
        return default if value is None else int(value)

    def _full(self, name: str) -> str:
        return f"{self._within}[{name}]" if self._within else name


def _options(text: str | None) -> Mapping[str, Any]:
    """PLACEMENT_OPTIONS: a JSON object, where PHP's empty one is `[]`."""
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise BadPayload("PLACEMENT_OPTIONS", "malformed") from error
    return _map(value, "PLACEMENT_OPTIONS")


def _map(value: Any, name: str) -> Mapping[str, Any]:
    if value in (None, [], ""):
        return {}
    if not isinstance(value, dict):
        raise BadPayload(name, "malformed")
    return value


def _nested(form: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, Any]:
    try:
        return parse_brackets(_pairs(form))
    except BracketError as error:
        raise BadPayload("form", str(error)) from error


def _pairs(form: Mapping[str, str] | Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    if isinstance(form, MultiForm):
        return ((name, value) for name, values in form.lists() for value in values)
    return form.items() if isinstance(form, Mapping) else form


def _id(text: str) -> int | None:
    """A positive whole number, as the platform's ids are; None for everything else."""
    value = int(text) if re.fullmatch(r"[0-9]{1,16}", text) else 0
    return value if 0 < value < MAX_ID else None
