"""Every choice of an agent that looks for work, as functions of what it sees.

The loop that uses them is in `taking`; the figures were measured (docs/decisions/0003).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto

from coordinator.broker.channel import Depth
from coordinator.protocol.task_queue import TaskQueue

__all__ = [
    "GIVE_BACKS",
    "ProbeResult",
    "Verdict",
    "Waiting",
    "breaths",
    "by_level",
    "focus_window",
    "fresh_for",
    "is_brisk",
    "is_pushed",
    "may_be_given_back",
    "nap",
    "places",
    "stay_focused",
    "windows",
]

GIVE_BACKS = 2
"""How often a message may have been in other hands and still be given back; then it is kept."""

BRISK = 300
"""Tasks a second, with all slots busy, above which pushing beats asking for each one."""

HOLD = 0.02
"""Seconds of work that a focused agent may hold beyond its slots, to cover the way to the broker."""

MAX_WINDOW = 128
"""Messages that a focused agent may hold, however brisk they are."""

RESTERS = 4
"""Agents that sit at the door of one queue: enough to wake some, few enough to give little back."""

SEATS = 5
"""Doors at which one agent sits, where others sit already."""

MAX_SEATS = 40
"""Doors at which one agent sits at all: each costs the broker a command to open and to close."""

SHORTEST_NAP, LONGEST_NAP = 0.03, 1.0
"""Seconds between two glances of an agent at rest, each at a few of its queues."""

LONGEST_ROUND = 1.0
"""Seconds in which a resting agent has glanced at all its queues, however long nothing came; with
hundreds of queues it takes longer."""

TURN = 0.5
"""Seconds of focus on one queue while an equal one waits, and of staying where nothing comes."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue that has work."""

    source: TaskQueue
    ready: int


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a look saw: best priority first, as far down as was of use."""

    waiting: tuple[Waiting, ...] = ()
    depths: Mapping[TaskQueue, Depth] | None = None
    """Every queue that was looked at."""
    cost: float = 0.0
    """Seconds that the look took."""


def by_level(sources: Iterable[TaskQueue], rng: random.Random) -> list[list[TaskQueue]]:
    """Best priority first; equal lanes in an order of chance, so that none is always last."""
    levels: dict[int, list[TaskQueue]] = {}
    for source in sources:
        levels.setdefault(source.priority.rank, []).append(source)
    for level in levels.values():
        rng.shuffle(level)
    return [levels[rank] for rank in sorted(levels)]


def breaths(levels: Iterable[list[TaskQueue]], most: int) -> Iterable[list[TaskQueue]]:
    """Whole levels joined, as long as ``most`` queues are not exceeded by it."""
    some: list[TaskQueue] = []
    for level in levels:
        if some and len(some) + len(level) > most:
            yield some
            some = []
        some = some + level
    if some:
        yield some


def fresh_for(cost: float) -> float:
    """Seconds for which a look may be acted upon, so that looking takes a third of the time at most."""
    return min(max(0.005, 2 * cost), 0.05)


def is_brisk(mean: float, slots: int) -> bool:
    """Whether tasks of ``mean`` seconds are better pushed than asked for one by one."""
    return mean * BRISK < slots


def is_pushed(sight: ProbeResult, rooms: Mapping[TaskQueue, int], free: int) -> bool:
    """Whether all that waits comes by itself to an agent with so many slots ``free``: the queues where it
    sits push as many tasks more as they have room for before it has ended any.
    """
    return sum(one.ready for one in sight.waiting) <= free and all(
        one.ready <= rooms.get(one.source, 0) for one in sight.waiting
    )


def focus_window(mean: float, free: int) -> int:
    """How many messages to have pushed at a time to ``free`` slots."""
    ahead = math.ceil(free * HOLD / max(mean, 1e-6))
    return max(free, min(free + ahead, MAX_WINDOW))


def may_be_given_back(delivery_count: int) -> bool:
    """Whether a message that was in other hands ``delivery_count`` times may be given back.

    Up to RabbitMQ 4.2 each return counts against its delivery limit, so it must stay rare.
    """
    return delivery_count < GIVE_BACKS


def nap(quiet: float, glances: int, rng: random.Random) -> float:
    """Seconds until the next glance, when nothing has come for ``quiet`` seconds and it takes
    ``glances`` to see all queues once.
    """
    longest = max(SHORTEST_NAP, min(LONGEST_NAP, LONGEST_ROUND / max(glances, 1)))
    return min(max(SHORTEST_NAP, quiet / 10), longest) * rng.uniform(0.5, 1.0)


def places(
    depths: Mapping[TaskQueue, Depth], seated: AbstractSet[TaskQueue], rng: random.Random
) -> list[TaskQueue]:
    """The doors at which to sit as well: all that nobody sits at, and some that few do."""
    free = [source for source in depths if source not in seated]
    rng.shuffle(free)
    free.sort(key=lambda source: (depths[source].consumers, source.priority.rank))
    chosen: list[TaskQueue] = []
    for source in free:
        taken = len(seated) + len(chosen)
        consumers = depths[source].consumers
        if taken >= MAX_SEATS or consumers >= RESTERS or (consumers > 0 and taken >= SEATS):
            break
        chosen.append(source)
    return chosen


def windows(doors: Sequence[TaskQueue], free: int, lately: Mapping[TaskQueue, int]) -> list[int]:
    """How many tasks each of the doors may push to an agent with so many slots ``free``: one, and of what
    is left over in proportion to what came from there ``lately``.
    """
    shares = [lately.get(door, 0) for door in doors]
    if not any(shares):
        shares = [1] * len(doors)
    over = max(0, free - len(doors))
    return [1 + over * share // sum(shares) for share in shares]


class Verdict(Enum):
    """What a focused agent does after a look."""

    STAY = auto()
    BETTER_WAITS = auto()
    EQUAL_WAITS = auto()
    TOO_SLOW = auto()
    DRY = auto()


def stay_focused(
    source: TaskQueue,
    sight: ProbeResult,
    *,
    brisk: bool,
    idle: bool,
    focused_for: float,
    dry_for: float,
) -> Verdict:
    """``idle`` is whether slots are free; ``dry_for`` the seconds since the queue last had any."""
    ranks = {waiting.source.priority.rank for waiting in sight.waiting if waiting.source != source}
    here = any(waiting.source == source for waiting in sight.waiting)
    rank = source.priority.rank
    if any(other < rank for other in ranks):
        return Verdict.BETTER_WAITS
    if not brisk:
        return Verdict.TOO_SLOW
    if rank in ranks and focused_for >= TURN:
        return Verdict.EQUAL_WAITS
    if idle and not here and (ranks or dry_for >= TURN):
        return Verdict.DRY
    return Verdict.STAY
