"""Errors as REST answers them: a code, a text, an HTTP status, sometimes the name of the argument."""

from __future__ import annotations

from typing import Any


class RestError(Exception):
    """Ends a REST call with ``{"error": code, "error_description": text}``; ``code`` may be "" or a number."""

    def __init__(self, code: str | int, text: str = "", status: int = 400, **extra: Any) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status, self.extra = code, text, status, extra

    def body(self) -> dict[str, Any]:
        return {"error": self.code, "error_description": self.text, **self.extra}


def argument_error(name: str, text: str = "") -> RestError:
    """A required argument is missing or of the wrong kind."""
    return RestError("ERROR_ARGUMENT", text or f"Argument '{name}' is null or empty", 400, argument=name)


def access_denied(text: str = "Access denied!", status: int = 403) -> RestError:
    return RestError("ACCESS_DENIED", text, status)


def missing_parameter(name: str) -> RestError:
    """What the controllers of ``crm.item.*`` and their like answer when a required parameter is not there."""
    return RestError(100, f"Could not find value for parameter {{{name}}}", 400)
