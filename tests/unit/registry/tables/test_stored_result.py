"""The result of a task as the ledger has it: read where it is small, and the same text where it is large."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from coordinator.protocol.messages.events import TaskCompleted
from coordinator.registry.tables.stored_result import LARGE, JsonText, result_of, without_result

FILLING = "x" * LARGE

TRICKY: list[Any] = [
    {"result": 1, "duration_seconds": 2.5},
    [{"a": [{"duration_seconds": 5}]}],
    {"duration_seconds": 5},
    ',"result":1,"duration_seconds":2.5}',
    'a\\","duration_seconds":5}',
    {"\u00e9\n": ["\\", '"', "\U0001f600"]},
    1e308,
    -0.0,
]


def data_of(result: Any, **changes: Any) -> str:
    """As the ledger stores it."""
    given: dict[str, Any] = {"task_id": "t", "agent_id": "ada", "task_token": "secret"}
    event = TaskCompleted(**(given | changes), result=result)
    return event.model_dump_json(exclude_none=True)


@pytest.mark.parametrize("result", [*TRICKY, None, True, {}])
@pytest.mark.parametrize("duration", [None, 0.0, 1.5, 1e-07, 1e22])
def test_a_large_result_is_the_same_unread(result: Any, duration: float | None) -> None:
    small = data_of(result, duration_seconds=duration)
    assert result_of(small) == result
    for large in ([FILLING, result], [result, FILLING], {"a": result, "b": FILLING}):
        data = data_of(large, duration_seconds=duration)
        found = result_of(data)
        assert isinstance(found, JsonText)
        assert from_json(found.content) == large
        told, size = without_result(data)
        assert size == len(found.content)
        rest = TaskCompleted.model_validate_json(told)
        assert (rest.result, rest.duration_seconds) == (None, duration)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    st.text(min_size=1, max_size=20),
)
def test_whatever_it_holds_and_whoever_it_is_of(result: Any, agent_id: str) -> None:
    large = [result, FILLING]
    found = result_of(data_of(large, agent_id=agent_id, duration_seconds=1.0))
    assert isinstance(found, JsonText)
    assert json.loads(found.content) == large


def test_a_large_event_without_a_result_or_of_another_shape_is_read() -> None:
    assert result_of(data_of(None, task_token=FILLING)) is None
    other = json.dumps({"result": [FILLING], "task_id": "t", "agent_id": "a", "task_token": "s"})
    assert result_of(other) == [FILLING]
    assert without_result(other) == (other, None)
