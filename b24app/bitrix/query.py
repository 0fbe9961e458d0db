"""PHP's bracketed names (`a[b][0]=1`), in both directions, and the command strings of `batch`.

https://apidocs.bitrix24.com/settings/how-to-call-rest-api/data-encoding.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

MAX_DEPTH = 16
MAX_KEYS = 1000
MAX_NAME = 500
MAX_CHARS = 256 * 1024

_BRACKETED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
# The platform puts earlier answers in place of these, in names and values of later commands, whatever the case.
# Three words are documented, with a bracket behind them; we are wider, because a false alarm costs only one call.
_REFERENCE = re.compile(r"\$(result|error|next|total|time)", re.IGNORECASE)


class BracketError(ValueError):
    """The form is too deep, too wide or too large. The message is a code: depth, keys, name, size."""


def parse_brackets(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The nested value of a flat form; all leaves are strings, `0..n-1` in order become a list. Later names win.

    Raises BracketError beyond 16 levels, 1000 names or 256 K characters.
    """
    tree: dict[str, Any] = {}
    size = 0
    for count, (name, value) in enumerate(pairs, start=1):
        size += len(name) + len(value)
        if count > MAX_KEYS or size > MAX_CHARS or len(name) > MAX_NAME:
            raise BracketError("keys" if count > MAX_KEYS else "size" if size > MAX_CHARS else "name")
        _insert(tree, _path(name), value)
    return {name: _listed(value) for name, value in tree.items()}


def _path(name: str) -> list[str]:
    match = _BRACKETED.fullmatch(name)
    if match is None:
        return [name]
    path = [match[1], *match[2][1:-1].split("][")]
    if len(path) > MAX_DEPTH:
        raise BracketError("depth")
    return path


def _insert(node: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = path
    for part in parents:
        name = part or _free_index(node)
        if not isinstance(node.get(name), dict):
            node[name] = {}
        node = node[name]
    node[last or _free_index(node)] = value


def _free_index(node: dict[str, Any]) -> str:
    index = len(node)
    while str(index) in node:
        index += 1
    return str(index)


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    children = {name: _listed(child) for name, child in value.items()}
    if list(children) == [str(index) for index in range(len(children))]:
        return list(children.values())
    return children


def flatten(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The flat pairs of nested parameters. An empty list or map becomes an empty string, as BX24.js sends it."""
    return [pair for name, value in params.items() for pair in _pairs(str(name), value)]


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if _is_list(value) else None
    if not children or not value:
        yield name, _scalar(value)
        return
    for key, child in children:
        yield from _pairs(f"{name}[{key}]", child)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _scalar(value: Any) -> str:
    if value in (None, [], (), {}):
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"  # PHP takes the word "false" for true
    if isinstance(value, (str, int, float, Decimal)):
        return str(value)
    raise TypeError(f"a REST parameter cannot be a {type(value).__name__}")


def command_string(method: str, params: Mapping[str, Any]) -> str:
    """One command of a batch, `method?query`, encoded once (a JSON body needs no more)."""
    return f"{method}?{urlencode(flatten(params))}"


def has_reference(value: Any) -> bool:
    """Whether a batch would put another command's answer into this text, or into any text inside of it.

    There is no way to quote such text, so a command that carries it goes alone: single calls substitute nothing.
    """
    if isinstance(value, Mapping):
        return any(has_reference(part) for item in value.items() for part in item)
    if _is_list(value):
        return any(has_reference(part) for part in value)
    return isinstance(value, str) and _REFERENCE.search(value) is not None
