"""What is refused, and with which sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import InvalidRequest, PayloadTooLarge
from coordinator.protocol.requirements import Requirements
from coordinator.submission.request_limits import (
    MAX_MESSAGE_BYTES,
    RequestLimits,
    check_data,
    check_message_size,
    check_names,
    check_requirements,
    check_timeout,
)

SMALL = RequestLimits(max_data_depth=3, max_data_values=20, max_names=2)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=30,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    children = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, children), default=0)


def size(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    children = value.values() if isinstance(value, dict) else value
    return len(value) + sum(map(size, children))


def is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@given(OBJECTS)
def test_data_passes_exactly_when_it_is_json_and_neither_too_deep_nor_too_large(
    data: dict[str, Any],
) -> None:
    allowed = is_json(data) and depth(data) <= 3 and size(data) <= 20
    if allowed:
        check_data(data, "task_data", SMALL)
        return
    with pytest.raises(InvalidRequest, match=r"^task_data ") as refusal:
        check_data(data, "task_data", SMALL)
    assert refusal.value.field == "task_data"


def test_the_sentence_names_the_depth_that_is_allowed() -> None:
    with pytest.raises(InvalidRequest, match=r"^metadata is nested deeper than 3 levels$"):
        check_data({"a": {"b": {"c": {}}}}, "metadata", SMALL)


def test_a_list_of_many_values_is_refused_without_being_searched_for_depth() -> None:
    with pytest.raises(InvalidRequest, match=r"^task_data holds more than 20 values$"):
        check_data({"a": [0] * 20}, "task_data", SMALL)


@pytest.mark.parametrize("number", [1e999, 10**400])
def test_a_number_that_no_double_holds_is_no_number_of_json(number: float) -> None:
    with pytest.raises(InvalidRequest, match=r"^task_data holds a number that is out of range$"):
        check_data({"a": [number]}, "task_data", SMALL)


def test_too_many_names_are_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidRequest, match=r"^capabilities has 3 entries; at most 2$"):
        check_names(["a", "b", "c"], "capabilities", at_most=2)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 129, "\u200b"])
def test_a_name_that_nobody_can_read_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_names([name], "capabilities", at_most=2)
    assert refusal.value.field == "capabilities"


@given(
    st.builds(
        Requirements,
        agent_type=st.none() | st.text(max_size=130),
        agent_id=st.none() | st.text(max_size=130),
        capabilities=st.lists(st.text(max_size=130), max_size=3).map(tuple),
        services=st.lists(st.text(max_size=130), max_size=3).map(tuple),
    )
)
def test_requirements_pass_exactly_when_they_are_few_short_and_printable(
    wanted: Requirements,
) -> None:
    words = [*wanted.capabilities, *wanted.services]
    words += [word for word in (wanted.agent_type, wanted.agent_id) if word is not None]
    if (
        all(len(word) <= 128 and word.isprintable() and word.strip() for word in words)
        and len(wanted.capabilities) <= 2
        and len(wanted.services) <= 2
    ):
        check_requirements(wanted, SMALL)
        return
    with pytest.raises(InvalidRequest) as refusal:
        check_requirements(wanted, SMALL)
    assert (refusal.value.field or "").startswith("requirements.")


@pytest.mark.parametrize("seconds", [0, -1, 604_800.5, float("inf"), float("nan")])
def test_a_timeout_is_more_than_nothing_and_at_most_a_week(seconds: float) -> None:
    with pytest.raises(InvalidRequest, match="more than 0 and at most 604800"):
        check_timeout(seconds, RequestLimits())


@pytest.mark.parametrize("seconds", [None, 0.1, 604_800])
def test_no_timeout_and_a_reasonable_one_pass(seconds: float | None) -> None:
    check_timeout(seconds, RequestLimits())


def test_a_message_larger_than_the_broker_takes_is_refused_here() -> None:
    check_message_size(b"x" * MAX_MESSAGE_BYTES)
    with pytest.raises(PayloadTooLarge):
        check_message_size(b"x" * (MAX_MESSAGE_BYTES + 1))
