"""Says which events a subscriber wants, by fields of the event and of its task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coordinator.registry.feed.recorded_events import RecordedEvent

__all__ = ["ALL", "EventFilter", "keys_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Matches an event that has one of the values of each field; an empty field asks for nothing. What is
    asked of a task no event of an agent has.
    """

    task_ids: frozenset[str] = frozenset()
    agent_ids: frozenset[str] = frozenset()
    """Of the agent that the event is about, or that states it."""
    types: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()
    """Of the task after the event."""
    groups: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    """Of the task."""
    submitted_by: str | None = None
    """Tasks of one caller alone, and nothing of agents; None for all."""

    def matches(self, event: RecordedEvent) -> bool:
        """Compares fields, and looks into no text."""
        return (
            (not self.types or event.type in self.types)
            and (not self.task_ids or (event.is_of_task and event.subject in self.task_ids))
            and (not self.agent_ids or event.agent_id in self.agent_ids)
            and (not self.states or event.state in self.states)
            and (not self.priorities or event.priority in self.priorities)
            and (not self.groups or event.group in self.groups)
            and (not self.tags or not self.tags.isdisjoint(event.tags))
            and (self.submitted_by is None or event.submitted_by == self.submitted_by)
        )

    def keys(self) -> list[str]:
        """One of `keys_of` each event that matches is among these; none where any event may match."""
        if self.task_ids:
            return [f"task {task_id}" for task_id in self.task_ids]
        if self.agent_ids:
            return [f"agent {agent_id}" for agent_id in self.agent_ids]
        if self.groups:
            return [f"group {group}" for group in self.groups]
        if self.tags:
            return [f"tag {tag}" for tag in self.tags]
        return [] if self.submitted_by is None else [f"by {self.submitted_by}"]


def keys_of(event: RecordedEvent) -> Iterator[str]:
    """What a filter may ask for that has many values."""
    if event.is_of_task:
        yield f"task {event.subject}"
    if event.agent_id is not None:
        yield f"agent {event.agent_id}"
    if event.group is not None:
        yield f"group {event.group}"
    for tag in event.tags:
        yield f"tag {tag}"
    if event.submitted_by is not None:
        yield f"by {event.submitted_by}"


ALL = EventFilter()
