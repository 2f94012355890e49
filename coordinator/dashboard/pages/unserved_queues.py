"""Finds queues with tasks that no agent takes, and says so in sentences. Pure."""

from __future__ import annotations

from collections import Counter

from coordinator.client import QueueStats

__all__ = ["unserved_queues"]


def unserved_queues(stats: QueueStats) -> list[str]:
    """One sentence for each lane whose tasks nobody takes, the most first; none where all is well."""
    waiting: Counter[str] = Counter()
    for queue in stats.queues:
        if queue.ready and not queue.listening:
            waiting[queue.lane] += queue.ready
    return [
        f"{number} {'task waits' if number == 1 else 'tasks wait'} in the lane {lane}, and no agent takes its"
        " tasks: start one that has what they require."
        for lane, number in waiting.most_common()
    ]
