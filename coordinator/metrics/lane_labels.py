"""Bounds the lanes that have series of their own: the first by name, and two words for all others. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from coordinator.protocol.task_queue import TaskQueue

__all__ = ["OF_AGENTS", "OTHERS", "lane_labels"]

OF_AGENTS = "agent:*"
"""Stands for all lanes of one agent each: there are as many as agents, and they come and go with them."""

OTHERS = "other"
"""Stands for the lanes beyond the bound; no lane has this name, since those have a colon or are `any`."""


def lane_labels(
    queues: Iterable[TaskQueue], *, of_agent: Callable[[TaskQueue], bool], most: int
) -> dict[str, str]:
    """The label of each lane of ``queues``. By name, so that every process chooses the same, at every
    scrape.
    """
    lanes = {queue.lane: of_agent(queue) for queue in queues}
    shared = sorted(lane for lane, own in lanes.items() if not own)
    named = set(shared[:most])
    return {
        lane: OF_AGENTS if own else lane if lane in named else OTHERS for lane, own in lanes.items()
    }
