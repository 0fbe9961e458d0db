"""One exchange: post, read no more than is sane, and tell a result from a fault, a move and a lost answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError

from b24app.bitrix.faults import Fault, PortalMoved, PortalSilent, fault_of
from b24app.bitrix.loose import as_map, whole
from b24app.bitrix.transport import PortalSession
from b24app.errors import PortalUnavailable

MAX_ANSWER = 16 * 1024 * 1024  # bytes, unpacked; fifty full items are well below one
TOO_MANY = 429  # turned away at the door, whoever says so; behind a page with 503 the portal may have acted
Timeout = tuple[float, float]  # seconds to connect, seconds for the whole answer

# What requests raises when a connection breaks; its other exceptions are faults of our own making.
LOST = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. `total` and `next` are there for lists only; `time` may be empty."""

    result: Any
    total: int | None = None
    next: int | None = None
    time: Mapping[str, Any] = field(default_factory=dict)


def exchange(http: PortalSession, url: str, timeout: Timeout, **body: Any) -> Answer | Fault:
    """Post and read. Raises PortalUnavailable, whose `uncertain` says whether the far side may have acted."""
    return read_answer(*post(http, url, timeout, **body))


def post(http: requests.Session, url: str, timeout: Timeout, **body: Any) -> tuple[requests.Response, bytes]:
    """The response and its whole body."""
    try:
        with http.post(url, timeout=timeout, allow_redirects=False, stream=True, **body) as response:
            return response, read_body(response)
    except LOST as error:
        raise unavailable(error) from error


def unavailable(error: requests.RequestException) -> PortalUnavailable:
    """A broken connection in our words; certain only where no connection was made at all."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    never_sent = isinstance(reason, (NewConnectionError, ConnectTimeoutError))
    kind = PortalSilent if isinstance(error, requests.Timeout) or _ran_out(cause) else PortalUnavailable
    return kind(type(reason or error).__name__, uncertain=not never_sent)


def _ran_out(cause: object) -> bool:
    """Whether time ran out in the middle of an answer, which requests calls a broken connection."""
    return isinstance(cause, (TimeoutError, ReadTimeoutError))


def read_body(response: requests.Response) -> bytes:
    """The body, up to 16 MB: a portal is somebody else's machine."""
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise PortalUnavailable("answer too large", uncertain=True)
    return bytes(body)


def read_answer(response: requests.Response, body: bytes) -> Answer | Fault:
    """What was answered. Raises PortalMoved for a redirect to another host, PortalUnavailable for pages of HTML."""
    if response.is_redirect:
        raise _moved(response)
    content = decoded(body)
    fault = fault_of(content, response.status_code)
    if fault is not None:
        return fault
    if response.status_code == TOO_MANY:
        return Fault("", "", TOO_MANY)
    if not isinstance(content, dict) or "result" not in content or response.status_code >= 400:
        raise PortalUnavailable(f"HTTP {response.status_code} without a result", uncertain=True)
    return Answer(
        content["result"], whole(content.get("total")), whole(content.get("next")), as_map(content.get("time"))
    )


def _moved(response: requests.Response) -> PortalUnavailable:
    """A renamed portal answers 302: https://apidocs.bitrix24.com/settings/how-to-call-rest-api/change-domen.html

    So does one that has begun to use https, or another port.
    """
    here = urlsplit(response.url)
    try:
        target = urlsplit(response.headers["Location"])
    except ValueError:
        target = here
    if not target.netloc or (target.scheme, target.netloc.lower()) == (here.scheme, here.netloc.lower()):
        return PortalUnavailable("redirected to a page")
    return PortalMoved(target.netloc.lower()[:260])


def decoded(body: bytes) -> Any:
    """The JSON value, or None when it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
