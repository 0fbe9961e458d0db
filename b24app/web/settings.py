"""What the pages of settings share: they are for administrators, a list stands in the view, a form in the panel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from b24app.errors import NotAllowed, Refused, Retryable, Stale
from b24app.web import errors
from b24app.web.forms import PortalForm
from b24app.web.forms_settings import SettingsForm
from b24app.web.visit import current_visit

LARGEST_FORM_BYTES = 1024 * 1024
Choices = Sequence[tuple[Any, str]]


@dataclass(slots=True)
class FormPage:
    """A form with what was wrong in it. `title` is the name of what is changed, "" for something new."""

    form: PortalForm
    title: str = ""
    problems: list[errors.Problem] = field(default_factory=list)

    @property
    def at_field(self) -> dict[str, str]:
        """The first sentence for each field."""
        return {problem.field: problem.text for problem in reversed(self.problems)}


def section(name: str, import_name: str) -> Blueprint:
    """A blueprint of settings: for administrators only, with room for long forms."""
    blueprint = Blueprint(name, import_name)
    blueprint.before_request(_allow_long_forms)
    blueprint.before_request(only_administrators)
    return blueprint


def _allow_long_forms() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FORM_BYTES


def only_administrators() -> None:
    """Raises NotAllowed for everybody else."""
    if not current_visit().viewer.is_admin:
        raise NotAllowed("settings")


def show_form(template: str, page: FormPage) -> str:
    """The form in the panel, with empty rows at the end of each list."""
    if isinstance(page.form, SettingsForm):
        page.form.add_empty_rows()
    return render_template(template, page=page, visit=current_visit())


def show_refused(template: str, page: FormPage, refused: Refused | Retryable) -> ResponseReturnValue:
    """The same with what was typed and why it was not saved; then the present revision counts."""
    page.problems = errors.problems(refused, current_visit().language)
    if isinstance(refused, Stale) and isinstance(page.form, SettingsForm):
        page.form.revision.raw_data, page.form.revision.data = None, refused.revision
    return show_form(template, page), errors.status(refused), errors.IN_PANEL


def show_list(template: str, *, saved: str = "", **context: Any) -> Response:
    """A list for the view; `saved` is the name of what was saved, which the page says and closes the panel."""
    answer = make_response(render_template(template, visit=current_visit(), **context))
    if saved:
        answer.headers["HX-Trigger"] = json.dumps({"b24:saved": {"name": saved}})
    return answer
