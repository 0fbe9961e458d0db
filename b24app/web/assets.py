"""Our scripts and our sheets, each as one file: joined and made small when a process starts, kept by browsers for good.

The sources stay apart and readable in static/. The address names what is in it, so a new version has another one; there
is no build, and nothing that could be forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import rcssmin
import rjsmin
from flask import Blueprint, abort, current_app, url_for
from flask.sansio.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

blueprint = Blueprint("assets", __name__)

# In this order: each script takes what the ones before it put on `window`, and of two rules the later one counts.
SCRIPTS = ("app", "board", "views", "drag", "live", "panel", "tools", "lists", "share", "setup", "importing")
SHEETS = ("app", "board", "views", "lists", "panel", "setup", "hand", "guide", "changes", "access", "importing")
A_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Bundle:
    """One file as it is sent, and the name that says what is in it."""

    text: str
    mimetype: str
    version: str


@blueprint.record
def join(state: BlueprintSetupState) -> None:
    """Reads the sources once for the process."""
    folder = Path(state.app.static_folder or "")
    state.app.extensions["b24_assets"] = {
        "js": bundle((folder / f"{name}.js" for name in SCRIPTS), rjsmin.jsmin, ";\n", "text/javascript"),
        "css": bundle((folder / f"{name}.css" for name in SHEETS), sheet, "\n", "text/css"),
    }


def sheet(text: str) -> str:
    """A sheet made small. Inside of @container rcssmin drops the space of `.a :is(.b)`, which selects something else;
    with the `*` that stands there unwritten it does not."""
    return rcssmin.cssmin(text.replace(" :", " *:"))


def bundle(sources: Iterable[Path], small: Callable[[str], str], between: str, mimetype: str) -> Bundle:
    """The sources one after another, each made `small`."""
    text = between.join(small(source.read_text("utf-8")) for source in sources)
    return Bundle(text, mimetype, hashlib.blake2b(text.encode(), digest_size=8).hexdigest())


def _bundles() -> Mapping[str, Bundle]:
    return cast(Mapping[str, Bundle], current_app.extensions["b24_assets"])


@blueprint.app_template_global()
def bundled(kind: str) -> str:
    """The address of all our scripts ("js") or sheets ("css")."""
    return url_for("assets.show", version=_bundles()[kind].version, kind=kind)


@blueprint.get("/assets/<version>.<kind>")
def show(version: str, kind: str) -> ResponseReturnValue:
    """The file. While two versions run side by side a page may ask the other one, and gets what is there."""
    found = _bundles().get(kind)
    if found is None:
        abort(404)
    kept = f"public, max-age={A_YEAR}, immutable" if version == found.version else "no-store"
    return found.text, {"Content-Type": f"{found.mimetype}; charset=utf-8", "Cache-Control": kept}
