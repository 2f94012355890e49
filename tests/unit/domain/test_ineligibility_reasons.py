"""Why an agent may not do a task."""

from __future__ import annotations

import pytest

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.ineligibility_reasons import NOT_ON_THE_BROKER, TAKES_WORK, lacks, not_now
from coordinator.protocol.requirements import Profile, Requirements

ADA = Profile(
    agent_id="ada",
    agent_type="worker",
    capabilities=frozenset({"analysis"}),
    services=frozenset({"storage"}),
)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Requirements(), []),
        (Requirements(agent_id="ada", agent_type="worker", capabilities=("analysis",)), []),
        (Requirements(agent_id="bob"), ["the task is for the agent 'bob' alone"]),
        (Requirements(agent_type="training"), ["its type is 'worker', not 'training'"]),
        (
            Requirements(capabilities=("analysis", "gpu"), services=("llama",)),
            ["it lacks the capability 'gpu'", "it lacks the service 'llama'"],
        ),
    ],
)
def test_everything_that_an_agent_lacks_is_named(wanted: Requirements, why: list[str]) -> None:
    assert lacks(ADA, wanted, None) == why
    assert ADA.satisfies(wanted) is (not why)


@pytest.mark.parametrize("status", AgentStatus)
def test_an_agent_with_a_free_slot_starts_a_task_unless_its_status_keeps_it(
    status: AgentStatus,
) -> None:
    assert (not_now(status, on_broker=True, slots=4, running=3) is None) is (status in TAKES_WORK)


@pytest.mark.parametrize("status", AgentStatus)
def test_an_agent_that_is_not_on_the_broker_starts_nothing_whatever_its_status(
    status: AgentStatus,
) -> None:
    why = not_now(status, on_broker=False, slots=4, running=0)
    assert why is not None
    assert (why == NOT_ON_THE_BROKER) is (status in TAKES_WORK)


def test_an_agent_without_a_free_slot_says_how_many_are_in_use() -> None:
    why = not_now(AgentStatus.BUSY, on_broker=True, slots=4, running=4)
    assert why == "it has no free slot: 4 of 4 in use"
    assert not_now(AgentStatus.ACTIVE, on_broker=True, slots=None, running=9) is None
