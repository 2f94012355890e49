"""Keys that nobody reads are named, with what was probably meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from coordinator.api.unknown_body_keys import MOST_NAMED, unknown_keys, with_warnings
from coordinator.api.wire.agent_registration import RegisterAgent
from coordinator.api.wire.agents import DiscoverAgents
from coordinator.api.wire.schedules import CreateSchedule
from coordinator.api.wire.task_submission import SubmitTaskBody
from coordinator.near_names import LONGEST

JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["requirements", "backoff", "task", "capabilities", "x"]), inner
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("model", "body", "names"),
    [
        (SubmitTaskBody, {"requirments": {}}, "'requirments' (did you mean 'requirements'?)"),
        (SubmitTaskBody, {"priorty": "high"}, "'priorty' (did you mean 'priority'?)"),
        (SubmitTaskBody, {"Priority": "high"}, "'Priority' (did you mean 'priority'?)"),
        (SubmitTaskBody, {"max-attempts": 1}, "'max-attempts' (did you mean 'max_attempts'?)"),
        (SubmitTaskBody, {"depends_on": ["a"]}, "'depends_on'"),
        (SubmitTaskBody, {"chain_id": "c"}, "'chain_id'"),
        (
            SubmitTaskBody,
            {"capabilities": ["gpu"]},
            "'capabilities' (did you mean 'requirements.capabilities'?)",
        ),
        (SubmitTaskBody, {"task_type": "x"}, "'task_type' (did you mean 'task_data.task_type'?)"),
        (
            SubmitTaskBody,
            {"requirements": {"capabilites": [], "agent_type": "worker"}},
            "'requirements.capabilites' (did you mean 'requirements.capabilities'?)",
        ),
        (
            SubmitTaskBody,
            {"requirements": {"max_attempts": 1}},
            "'requirements.max_attempts' (did you mean 'max_attempts'?)",
        ),
        (
            SubmitTaskBody,
            {"backoff": {"fist_seconds": 1}, "colour": None},
            "'backoff.fist_seconds' (did you mean 'backoff.first_seconds'?), 'colour'",
        ),
        (
            CreateSchedule,
            {"crn": "* * * * *", "task": {"requirements": {"service": []}}},
            (
                "'crn' (did you mean 'cron'?),"
                " 'task.requirements.service' (did you mean 'task.requirements.services'?)"
            ),
        ),
        (RegisterAgent, {"capability": []}, "'capability' (did you mean 'capabilities'?)"),
        (RegisterAgent, {"instance": "x"}, "'instance'"),
        (DiscoverAgents, {"min_health": 1}, "'min_health' (did you mean 'min_health_score'?)"),
    ],
)
def test_unknown_keys_are_named_with_the_nearest_known_one(
    model: type[BaseModel], body: dict[str, Any], names: str
) -> None:
    assert unknown_keys(body, model) == f"These unknown keys were ignored: {names}."


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        {"task_data": {"priorty": 1, "requirements": {"x": 1}}, "metadata": {"anything": 1}},
        {"requirements": None, "backoff": None},
        {"requirements": {"capabilities": ["a"]}},
    ],
)
def test_what_is_known_or_free_is_not_named(body: Any) -> None:
    assert unknown_keys(body, SubmitTaskBody) is None


def test_a_thousand_unknown_keys_are_counted_and_long_ones_cut() -> None:
    told = unknown_keys({f"x{number:04}": 1 for number in range(1000)}, SubmitTaskBody)
    assert told is not None
    assert told.endswith(f"'x0009' and {1000 - MOST_NAMED} more.")
    long = unknown_keys({"priority" * 1000: 1}, SubmitTaskBody)
    assert long is not None
    assert len(long) < 2 * LONGEST


@given(JSON)
def test_any_body_at_all_is_looked_through(body: Any) -> None:
    told = unknown_keys(body, CreateSchedule)
    if isinstance(body, dict) and "x" in body:
        assert told is not None
        assert "'x'" in told


def test_several_warnings_are_one_string() -> None:
    assert with_warnings() == {} == with_warnings(None, None)
    assert with_warnings(None, "One.", "Two.") == {"warning": "One. Two."}
