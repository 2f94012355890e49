"""The last proof of a control queue counts, or the broker's answer where none came after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coordinator.protocol.messages.events import OVER_HTTP, AgentRegistered
from coordinator.registry.agents.in_memory.control_queues import ControlQueues
from tests.unit.registry.fleet import registered

HTTP: dict[str, Any] = {"via": OVER_HTTP}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([None, "http", True, False]))))
def test_the_last_proof_or_answer_counts(happened: list[tuple[str, str | bool | None]]) -> None:
    queues = ControlQueues()
    expected: dict[str, bool] = {}
    unproven: dict[str, bool] = {}
    for agent_id in "ab":
        data = registered(agent_id, **HTTP).data
        assert isinstance(data, AgentRegistered)
        queues.meet(data, None)
        expected[agent_id], unproven[agent_id] = False, True
    for agent_id, what in happened:
        if isinstance(what, bool):
            queues.answer(agent_id, present=what)
            if unproven[agent_id]:
                expected[agent_id] = what
        else:
            queues.sign(agent_id, via=what)
            unproven[agent_id] = what is not None
            expected[agent_id] = expected[agent_id] or what is None
    assert {one: one in queues for one in "ab"} == expected
    due = set(queues.due(0, again_after=timedelta(seconds=10), most=9))
    assert due == {one for one in "ab" if unproven[one]}
