"""Brackets and batch commands, against what PHP does with them."""

import re
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24app.bitrix.query import BracketError, command_string, flatten, has_reference, parse_brackets

names = st.text(alphabet="abcXYZ_-.ё💺 ", min_size=1, max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
trees = st.recursive(
    texts,
    lambda child: st.lists(child, min_size=1, max_size=3) | st.dictionaries(names, child, min_size=1, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, trees, max_size=4))
def test_what_is_flattened_is_parsed_back(params: dict[str, Any]) -> None:
    assert parse_brackets(flatten(params)) == params


@given(st.dictionaries(names, trees, max_size=4))
def test_a_command_survives_its_url(params: dict[str, Any]) -> None:
    query = command_string("crm.item.add", params).removeprefix("crm.item.add?")
    assert parse_brackets(parse_qsl(query, keep_blank_values=True)) == params


@given(st.lists(st.tuples(st.text(alphabet="a[]01", max_size=12), texts), max_size=12))
def test_no_form_breaks_the_parser(pairs: list[tuple[str, str]]) -> None:
    assert len(parse_brackets(pairs)) <= len(pairs)


@pytest.mark.parametrize(
    ("pairs", "parsed"),
    [
        ([("data[FIELDS][ID]", "66")], {"data": {"FIELDS": {"ID": "66"}}}),
        ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[1]", "x"), ("a[]", "y")], {"a": {"1": "x", "2": "y"}}),
        ([("a[0]", "x"), ("a[1]", "y")], {"a": ["x", "y"]}),
        ([("a[][id]", "1"), ("a[][id]", "2")], {"a": [{"id": "1"}, {"id": "2"}]}),
        ([("a", "1"), ("a[b]", "2")], {"a": {"b": "2"}}),
        ([("a[b]", "2"), ("a", "1")], {"a": "1"}),
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("a[b", "1"), ("[c]", "2"), ("a[b]c", "3")], {"a[b": "1", "[c]": "2", "a[b]c": "3"}),
        ([], {}),
    ],
)
def test_bracket_cases(pairs: list[tuple[str, str]], parsed: dict[str, Any]) -> None:
    assert parse_brackets(pairs) == parsed


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("a" + "[b]" * 16, "1")], "depth"),
        ([("a" + "[" * 501, "1")], "name"),
        ([(f"a{n}", "") for n in range(1001)], "keys"),
        ([("a", "x" * 300_000)], "size"),
    ],
)
def test_an_outsized_form_is_refused(pairs: list[tuple[str, str]], code: str) -> None:
    with pytest.raises(BracketError, match=f"^{code}$"):
        parse_brackets(pairs)


def test_scalars_are_written_as_php_reads_them() -> None:
    params = {"yes": True, "no": False, "none": None, "empty": [], "map": {}, "list": [1, "ж"], "f": {"=xmlId": "a&b"}}
    assert command_string("m", params) == (
        "m?yes=1&no=0&none=&empty=&map=&list%5B0%5D=1&list%5B1%5D=%D0%B6&f%5B%3DxmlId%5D=a%26b"
    )


def test_an_object_is_no_parameter() -> None:
    with pytest.raises(TypeError, match=re.escape("cannot be a set")):
        flatten({"a": {1, 2}})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("$result[x][id]", True),
        ("зал $RESULT[x]", True),
        ({"fields": {"title": ["a", "$next[b]"]}}, True),
        ({"$total[x]": 1}, True),
        ("$error[x]", True),
        ("$results are in", True),  # a false alarm, which costs one call
        ("costs $5, the result [x]", False),
        ({"n": 5, "t": None, "ok": True}, False),
    ],
)
def test_references_are_seen(value: Any, found: bool) -> None:
    assert has_reference(value) is found
