"""However many lanes there are, so many have series."""

from __future__ import annotations

from coordinator.metrics.lane_labels import OF_AGENTS, OTHERS, lane_labels
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue


def queues(*lanes: str) -> list[TaskQueue]:
    return [TaskQueue(lane, priority) for lane in lanes for priority in Priority]


def of_agent(queue: TaskQueue) -> bool:
    return queue.lane.startswith("agent:")


def test_the_first_lanes_by_name_keep_theirs() -> None:
    found = lane_labels(queues("cap:z", "any", "cap:a"), of_agent=of_agent, most=2)
    assert found == {"any": "any", "cap:a": "cap:a", "cap:z": OTHERS}


def test_lanes_of_single_agents_share_one_label_and_take_no_place() -> None:
    found = lane_labels(queues("agent:ada", "agent:bob", "any"), of_agent=of_agent, most=1)
    assert found == {"agent:ada": OF_AGENTS, "agent:bob": OF_AGENTS, "any": "any"}
