"""Sentences in the page's language: what flask_babel knows, looked for once a request instead of once a sentence."""

from __future__ import annotations

from typing import Any

from flask import Flask, g
from flask_babel import Babel, Domain


class Catalogue(Domain):  # type: ignore[misc]  # flask_babel has no types
    """The sentences of the language that this request is answered in."""

    def get_translations(self) -> Any:
        """The same for all of a request: to find locale and catalogue anew took longer than a sentence itself."""
        if not g:
            return super().get_translations()
        if "translations" not in g:
            g.translations = super().get_translations()
        return g.translations


def install(app: Flask, babel: Babel) -> None:
    """Lets scripts and templates take their sentences from there."""
    catalogue = babel.domain_instance = Catalogue()
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # added by Jinja's own extension
        gettext=lambda text: catalogue.get_translations().ugettext(text),
        ngettext=lambda one, many, count: catalogue.get_translations().ungettext(one, many, count),
        newstyle=True,
    )
