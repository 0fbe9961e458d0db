"""What went wrong becomes a status and words: a fragment inside of a frame, a page at its door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from b24app import texts
from b24app.bitrix.faults import CallerRejected, TokenDead
from b24app.errors import (
    AppError,
    InstallationRevoked,
    InvalidInput,
    Misconfigured,
    NotAllowed,
    NotFound,
    PolicyViolation,
    Refused,
    Retryable,
    SlotTaken,
    Stale,
)
from b24app.scheduling.policy import Violation
from b24app.web.visit import page_language

STATUSES: dict[type[AppError], int] = {
    InvalidInput: 422,
    PolicyViolation: 422,
    SlotTaken: 409,
    Stale: 409,
    NotAllowed: 403,
    NotFound: 404,
    CallerRejected: 401,
    TokenDead: 401,
    Retryable: 503,
}
# htmx puts an answer with these headers into the panel, whatever the request was meant to change.
IN_PANEL = {"HX-Retarget": "#panel-body", "HX-Reswap": "innerHTML"}
# Where a refusal without a field of its own stands in a form.
CARD_FIELD = "card"


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence, and the field of the form that it is about ("" for the form as a whole).

    `where`: which setting it comes from, "" for what is set nowhere.
    """

    field: str
    text: str
    where: str = ""


def register(app: Flask) -> None:
    """Makes `app` answer every error of ours, and those of HTTP, in words."""
    app.register_error_handler(AppError, refused)
    app.register_error_handler(HTTPException, http_error)


def refused(error: AppError) -> ResponseReturnValue:
    """The answer to an error that no view has turned into a form."""
    code = status(error)
    if code >= 500:
        current_app.logger.warning("%s %s: %s", request.method, request.path, type(error).__name__)
    return _answer(problems(error, page_language()), code)


def http_error(error: HTTPException) -> ResponseReturnValue:
    """The answer to what Flask itself refuses: no such address, too large, a fault of ours."""
    if error.response is not None:
        return error.response
    code = error.code or 500
    return _answer([Problem("", texts.say(page_language(), _http_words(error, code)))], code)


def _http_words(error: HTTPException, code: int) -> str:
    if isinstance(error, RequestEntityTooLarge):
        return "too_large"
    if isinstance(error, InternalServerError) or code >= 500:
        return "broken"
    return "not_found"


def status(error: AppError) -> int:
    """The HTTP status that says what kind of error this is."""
    return next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 503)


def problems(error: AppError, language: str) -> list[Problem]:
    """Every reason in words, each with the field that it is about."""
    if isinstance(error, InvalidInput):
        return [Problem(name, texts.say_refusal(language, "field", code)) for name, code in error.fields.items()]
    if isinstance(error, PolicyViolation):
        return [broken_rule(language, one) for one in error.violations]
    return [Problem(_field(error), _sentence(error, language))]


def broken_rule(language: str, broken: Violation) -> Problem:
    """A broken rule in words, with where it is set."""
    where = texts.say_setting(language, broken.setting, broken.params)
    return Problem(broken.at, texts.say_violation(language, broken.code, broken.params), where)


def _field(error: AppError) -> str:
    if isinstance(error, SlotTaken):
        return "start"
    if isinstance(error, NotFound):
        return "resource" if error.kind in ("resource", "service") else ""
    if isinstance(error, (CallerRejected, TokenDead)):
        return CARD_FIELD
    if isinstance(error, NotAllowed):
        return {"card": CARD_FIELD, "portal_token": CARD_FIELD, "book": "resource", "move": "resource"}.get(
            error.action, ""
        )
    return ""


def _sentence(error: AppError, language: str) -> str:
    if isinstance(error, NotAllowed):
        return texts.say_refusal(language, "not_allowed", error.action)
    if isinstance(error, NotFound):
        return texts.say_refusal(language, "not_found", error.kind)
    if isinstance(error, (CallerRejected, TokenDead)):
        return texts.say_refusal(language, "not_allowed", "portal_token")
    return texts.say(language, _general(error))


def _general(error: AppError) -> str:
    words: Sequence[tuple[type[AppError], str]] = (
        (SlotTaken, "slot_taken"),
        (Stale, "stale"),
        (Retryable, "later"),
        (InstallationRevoked, "revoked"),
        (Misconfigured, "misconfigured"),
        (Refused, "not_allowed"),
    )
    return next((code for kind, code in words if isinstance(error, kind)), "broken")


def _answer(found: list[Problem], code: int) -> ResponseReturnValue:
    """A fragment for a page that is open, a whole page for somebody who comes in."""
    inside = request.path.startswith("/app/") and "visit" in g
    template = "errors/_refused.html" if inside else "errors/page.html"
    words = render_template(template, problems=found, language=page_language())
    return words, code, IN_PANEL if inside else {}
