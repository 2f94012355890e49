"""Asks for queues and statistics, clears a priority, retires a lane."""

from __future__ import annotations

from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import Call, request
from coordinator.client.models.queues import Cleared, LaneRetired, QueueStats, Statistics

__all__ = ["clear_queue", "queue_sizes", "queue_stats", "retire_lane", "statistics"]


def queue_sizes() -> Call[dict[str, int]]:
    """Tasks that wait, by priority."""
    asked = request("GET", "tasks", "queues")
    return Call(asked, lambda body: read_as(dict[str, int], part(body, "queue_sizes")))


def queue_stats() -> Call[QueueStats]:
    """Every queue in detail."""
    asked = request("GET", "tasks", "queues", "stats")
    return Call(asked, lambda body: read_as(QueueStats, body))


def statistics() -> Call[Statistics]:
    """How many tasks went out, and how they ended."""
    asked = request("GET", "tasks", "status")
    return Call(asked, lambda body: read_as(Statistics, part(body, "stats")))


def clear_queue(priority: str) -> Call[Cleared]:
    """End every task that waits at this priority."""
    asked = request("POST", "tasks", "queues", priority, "clear")
    return Call(asked, lambda body: read_as(Cleared, body))


def retire_lane(lane: str) -> Call[LaneRetired]:
    """Give up the queues of a lane without unfinished tasks."""
    asked = request("POST", "tasks", "queues", "lanes", lane, "retire")
    return Call(asked, lambda body: read_as(LaneRetired, body))
