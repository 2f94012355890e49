"""What both sides take as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.protocol.json_values.array_splitting import items_of
from coordinator.protocol.json_values.json_limits import MAX_DEPTH, json_problem
from coordinator.protocol.messages.event_codec.event_encoding import (
    encode,
    encode_batch,
    routing_key,
)
from coordinator.protocol.messages.events import Event, TaskCompleted
from tests.support.decoding import decode

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def nested(levels: int, value: Any = 1) -> Any:
    for number in range(levels):
        value = [value] if number % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, "", "\x00", [], {}, [[]], {"a": [1, {"b": None}]}, (1, (2,)), 10**308],
)
def test_plain_json_has_no_problem(value: Any) -> None:
    assert json_problem(value) is None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 10**309, -(10**309)])
def test_a_number_that_no_double_holds_is_out_of_range(number: float) -> None:
    for value in (number, [number], {"a": {"b": number}}):
        assert json_problem(value) == "holds a number that is out of range"


@pytest.mark.parametrize("value", [{1: 2}, {None: 1}, b"x", {1}, object(), [iter([])], range(2)])
def test_what_json_has_no_form_for_is_told(value: Any) -> None:
    assert json_problem(value) == "holds a value that JSON has no form for"


def test_the_depth_is_that_of_the_containers() -> None:
    assert json_problem(nested(MAX_DEPTH)) is None
    assert json_problem(nested(MAX_DEPTH + 1)) == "is nested deeper than 100 levels"
    assert json_problem([], max_depth=0) == "is nested deeper than 0 levels"
    assert json_problem(1, max_depth=0) is None


def test_values_are_counted_at_all_levels() -> None:
    assert json_problem([1, [2, 3]], max_values=4) is None
    assert json_problem([1, [2, 3]], max_values=3) == "holds more than 3 values"


def test_what_holds_itself_comes_to_an_end() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert json_problem(loop) == "is nested deeper than 100 levels"
    loop.append(loop)
    assert json_problem(loop) == "holds more than 1000000 values"


def test_what_is_within_the_limits_passes_alone_and_in_a_batch() -> None:
    deepest = Event(
        data=TaskCompleted(
            task_id="t", agent_id="a", task_token="x", result=nested(MAX_DEPTH, 10**308)
        )
    )
    assert decode(encode(deepest), routing_key(deepest.data)) == [deepest]
    key, batch = encode_batch([deepest, deepest])
    assert decode(batch, key) == [deepest, deepest]


@given(st.lists(VALUES), st.sampled_from([None, 1]))
def test_an_array_is_cut_into_the_text_of_its_items(items: list[Any], indent: int | None) -> None:
    pieces = items_of(json.dumps(items, indent=indent, ensure_ascii=False).encode())
    assert pieces is not None
    assert [json.loads(piece) for piece in pieces] == items


@pytest.mark.parametrize(
    "text", [b"", b"[", b"]", b"[1]]", b"[[1]", b"[1][2]", b'{"a":1}', b"null", b"[}]"]
)
def test_what_is_no_array_is_not_cut(text: bytes) -> None:
    assert items_of(text) is None


def test_a_broken_item_does_not_break_the_others() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    wrong = [b'"\\ud800"', deep, b"9" * 5000, b"tru", b"\xff", b'{"a":1', b"1"]
    assert items_of(b"[" + b" , ".join(wrong[:5]) + b"]") == wrong[:5]
    assert items_of(b"[" + b",".join(wrong) + b"]") is None
