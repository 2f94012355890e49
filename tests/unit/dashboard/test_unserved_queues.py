"""Lanes with tasks that nobody takes: a sentence each, and how those tasks are found."""

from __future__ import annotations

from typing import Any

from coordinator.client import QueueStats
from coordinator.client.models.queues import Queue
from coordinator.dashboard.pages.unserved_queues import UnservedLane, unserved_queues

GPU = {"capabilities": ["gpu"], "services": [], "agent_type": None, "task_type": "train"}


def queue(
    lane: str, priority: str, *, ready: int, listening: int = 0, ended: bool = False, **more: Any
) -> Queue:
    """``ended``: no task that has a message there is still to be done."""
    return Queue(
        queue=f"tasks.{lane}.{priority}",
        lane=lane,
        priority=priority,
        ready=ready,
        listening=listening,
        oldest_waiting_seconds=3.0 if ready and not ended else None,
        **more,
    )


def test_a_lane_that_nobody_serves_is_told_once_with_the_filters_of_its_tasks() -> None:
    found = unserved_queues(
        QueueStats(
            queues=[
                queue("any", "low", ready=1),
                queue("cap:gpu", "high", ready=2, requirements=GPU),
                queue("cap:gpu", "low", ready=3, requirements=GPU),
                queue("served", "low", ready=9, listening=1),
                queue("empty", "low", ready=0),
                queue("cancelled", "low", ready=4, ended=True),
            ]
        )
    )
    rest = "and no agent takes its tasks: start one that has what they require."
    assert found == [
        UnservedLane(
            waiting=5,
            sentence=f"5 tasks wait in the lane cap:gpu, {rest}",
            filters={"capability": ["gpu"], "task_type": "train"},
        ),
        UnservedLane(waiting=1, sentence=f"1 task waits in the lane any, {rest}", filters={}),
    ]
