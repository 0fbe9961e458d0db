"""What is kept of a call for later: what was sent and answered, shortened, without anything that opens a door."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from b24app.errors import AppError, Rejected, Retryable

LONGEST = 12_000  # characters of what was sent, and as many of the answer
MASK = "***"

# Named by what they are called, wherever they stand: in JSON, in JSON inside of a string, in a form, in an address.
# Lengths are bounded: what is searched was written by somebody else's machine.
_PART = r"[\w\[\]%-]{0,60}"
_NAME = rf"(?:auth|{_PART}(?:token|secret|passw|auth_id|refresh_id|sessid|api_?key|signature){_PART})"
_VALUE = r"((?:(?!\2)(?:[^\"\\]|\\.))*)"  # up to the quote that it began with, however that is escaped
_IN_JSON = re.compile(rf'((?<!\\)\\{{0,16}}"{_NAME}\\{{0,16}}"\s{{0,9}}:\s{{0,9}})(\\{{0,16}}"){_VALUE}', re.IGNORECASE)
_IN_FORM = re.compile(rf"((?<![\w\[\]%-]){_NAME}=)[^&\"'\s\\]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and what became of it. `outcome`: ok, or what went wrong in one word; the texts are not masked yet."""

    method: str
    outcome: str
    milliseconds: int
    sent: str = field(repr=False)
    answer: str = field(repr=False)

    def masked(self) -> str:
        """Both texts as they may be kept."""
        return json.dumps({"sent": masked(self.sent), "answer": masked(self.answer)}, ensure_ascii=False)


# Takes note of a call; quick, and raises nothing.
Record = Callable[[Exchange], None]


def nowhere(exchange: Exchange) -> None:
    """Keeps nothing."""


def sent_text(params: Mapping[str, Any]) -> str:
    """The parameters of a call, shortened."""
    return shortened(json.dumps(params, ensure_ascii=False, default=str))


def answer_text(body: bytes) -> str:
    """The body of an answer, shortened."""
    kept = body[: 4 * LONGEST].decode("utf-8", "replace")  # a character has no more than four bytes
    return shortened(kept, len(body))


def shortened(text: str, length: int = 0) -> str:
    """The beginning; the whole `length` is told where it is more than is kept."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({max(length, len(text))})"


def masked(text: str) -> str:
    """The same without the values of tokens, secrets and passwords; also of one that was cut off in the middle."""
    return _IN_FORM.sub(rf"\1{MASK}", _IN_JSON.sub(rf"\1\2{MASK}", text))


def outcome_of(error: AppError) -> str:
    """One word for an error: the portal's own code, or our name of it."""
    said = error.code if isinstance(error, Rejected) else error.reason if isinstance(error, Retryable) else ""
    return (said or type(error).__name__)[:100]
