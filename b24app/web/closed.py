"""Fixed pages and fragments: why a visitor does not see what he asked for, and what he can do about it."""

from __future__ import annotations

from flask import Response, make_response, render_template


def closed_page(reason: str, status: int, detail: str = "") -> Response:
    """A whole page, for somebody at the door. `reason` is one of those in templates/frame/_closed.html."""
    return make_response(render_template("frame/closed.html", reason=reason, detail=detail), status)


def closed_fragment(reason: str, status: int) -> Response:
    """The same words as a fragment, for a page that is open already."""
    return make_response(render_template("frame/_closed.html", reason=reason, detail=""), status)
