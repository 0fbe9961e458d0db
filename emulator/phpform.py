"""Forms as PHP reads and writes them: ``a[b][]=1`` and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from flask import Request

KEY = re.compile(r"\[([^\]]*)\]")


def parse(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Nested values of bracketed pairs; arrays with keys 0..n-1 become lists, as PHP cannot tell them apart."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        _put(root, _path(key), value)
    return {key: _listed(value) for key, value in root.items()}


def parse_query(text: str) -> dict[str, Any]:
    """The same for a query string; values are decoded once."""
    return parse(parse_qsl(text, keep_blank_values=True))


def _path(key: str) -> list[str]:
    head, bracket, rest = key.partition("[")
    if not bracket or not head:
        return [key]
    # PHP replaces dots and spaces in the name of a variable, not in its keys.
    return [head.replace(".", "_").replace(" ", "_"), *KEY.findall("[" + rest)]


def _put(node: dict[str, Any], path: list[str], value: Any) -> None:
    for step in path[:-1]:
        inner = node.get(_key(node, step))
        if not isinstance(inner, dict):
            inner = node[_key(node, step)] = {}
        node = inner
    node[_key(node, path[-1])] = value


def _key(node: dict[str, Any], step: str) -> str:
    if step:
        return step
    return str(max((int(key) for key in node if key.isdigit()), default=-1) + 1)


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if list(value) == [str(index) for index in range(len(value))]:
        return [_listed(one) for one in value.values()]
    return {key: _listed(one) for key, one in value.items()}


def encode(data: Any) -> list[tuple[str, str]]:
    """Bracketed pairs of nested values: everything is text, empty arrays and nulls vanish."""
    return [pair for key, value in data.items() for pair in _pairs(str(key), value)]


def _pairs(name: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _pairs(f"{name}[{key}]", one)
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from _pairs(f"{name}[{index}]", one)
    elif value is not None:
        yield name, text(value)


def text(value: Any) -> str:
    """A scalar as PHP writes it into a form."""
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)


def strings(value: Any) -> Any:
    """A copy whose scalars are texts and whose empty arrays are gone: what is left after a trip through a form."""
    if isinstance(value, dict):
        return {str(key): strings(one) for key, one in value.items() if one not in (None, {}, [])}
    if isinstance(value, (list, tuple)):
        return [strings(one) for one in value]
    return text(value)


def request_params(request: Request) -> dict[str, Any]:
    """Query and body of a request merged, the body wins; JSON counts only with its content type."""
    query = parse_query(request.query_string.decode("utf-8", "replace"))
    form = parse(request.form.items(multi=True))
    return {**query, **(form or _json_body(request))}


def _json_body(request: Request) -> dict[str, Any]:
    """Broken JSON is silently no parameters at all, as in the platform."""
    if request.mimetype != "application/json":
        return {}
    try:
        body = json.loads(request.get_data(cache=True) or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
