"""Finds the subscribers of each event without asking every one of them.

Subscribers with the same filter are a group, which is asked once for an event and given the same objects.
Groups that want certain tasks, agents or callers are found by these; only the others are asked each time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .event_filter import EventFilter, keys_of
from .stream_frames import StreamEnd
from .streamed_event import MissingEvents, StreamedEvent
from .subscription import Renders, Subscription

__all__ = ["SubscriberIndex"]


@dataclass(slots=True, eq=False)
class _Group:
    wanted: EventFilter
    render: Renders[Any]
    members: set[Subscription[Any]] = field(default_factory=set)
    round: list[StreamedEvent | MissingEvents] = field(default_factory=list)
    """Events of the present round."""


class SubscriberIndex:
    """Holds every subscription of this process, by its filter and by how it wants its events."""

    def __init__(self) -> None:
        self._groups: dict[tuple[EventFilter, Renders[Any]], _Group] = {}
        self._by_key: dict[str, set[_Group]] = {}
        self._others: set[_Group] = set()

    def add(
        self, wanted: EventFilter, render: Renders[Any], subscription: Subscription[Any]
    ) -> None:
        """From the next round on, events that match are put into ``subscription``."""
        group = self._groups.get((wanted, render))
        if group is None:
            group = self._groups[wanted, render] = _Group(wanted, render)
            for found in self._places(wanted):
                found.add(group)
        group.members.add(subscription)

    def discard(
        self, wanted: EventFilter, render: Renders[Any], subscription: Subscription[Any]
    ) -> None:
        """Whether it is there or not."""
        group = self._groups.get((wanted, render))
        if group is None:
            return
        group.members.discard(subscription)
        if not group.members:
            del self._groups[wanted, render]
            for found in self._places(wanted):
                found.discard(group)
            for key in wanted.keys():  # noqa: SIM118 - a method of its own
                if not self._by_key.get(key, True):
                    del self._by_key[key]

    def deliver(self, events: Sequence[StreamedEvent]) -> tuple[int, int]:
        """Put each event into the subscriptions that want it; how many were given something, and how many
        comparisons of an event with a filter that took.
        """
        compared = 0
        touched: dict[_Group, None] = {}
        for event in events:
            asked = self._asked(event)
            compared += len(asked)
            for group in asked:
                if group.wanted.matches(event.recorded):
                    group.round.append(event)
                    touched[group] = None
        return sum(_delivered(group) for group in touched), compared

    def deliver_to_all(self, missing: MissingEvents) -> None:
        """Put it into every subscription."""
        for group in self._groups.values():
            group.round.append(missing)
            _delivered(group)

    def end_all(self, why: StreamEnd) -> None:
        """End every subscription."""
        for group in self._groups.values():
            for one in group.members:
                one.end(why)

    def _asked(self, event: StreamedEvent) -> Collection[_Group]:
        if not self._by_key:
            return self._others
        by_key = [self._by_key[key] for key in keys_of(event.recorded) if key in self._by_key]
        return self._others.union(*by_key) if by_key else self._others

    def _places(self, wanted: EventFilter) -> Iterator[set[_Group]]:
        keys = wanted.keys()
        if not keys:
            yield self._others
        for key in keys:
            yield self._by_key.setdefault(key, set())


def _delivered(group: _Group) -> int:
    items = group.render(group.round)
    size = sum(event.size for event in group.round)
    group.round = []
    for one in group.members:
        one.put(items, size)
    return len(group.members)
