"""Decides, as pure functions of what a probe found, which queues an agent pulls from or consumes, and how.

`FetchLoop` uses them; the figures were measured (docs/decisions/0003).
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
    "LONGEST_PAUSE",
    "MAX_UNTOLD",
    "ProbeResult",
    "Verdict",
    "Waiting",
    "by_level",
    "calls_to_make",
    "focus_window",
    "fresh_for",
    "in_batches",
    "is_brisk",
    "is_pushed",
    "look_spread",
    "pause_at_rest",
    "pause_in_fleet",
    "prefetch_shares",
    "queues_to_consume",
    "stay_focused",
]

BRISK = 300
"""Tasks a second, with all slots busy, above which pushing beats asking for each one."""

HOLD = 0.02
"""Seconds of work that a focused agent may hold beyond its slots, to cover the way to the broker."""

MAX_WINDOW = 128
"""Messages that a focused agent may hold, however brisk they are."""

MAX_CONSUMERS = 4
"""Resting agents that consume one queue: enough to wake some, few enough to give little back."""

SHARED_QUEUES = 5
"""Queues that one resting agent consumes where others do already."""

MAX_QUEUES = 40
"""Queues that one resting agent consumes at all: each costs the broker a command to start and to cancel."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.03, 1.0
"""Seconds between two peeks of an agent at rest, each at a few of its queues."""

LONGEST_ROUND = 1.0
"""Seconds in which a resting agent has peeked at all its queues, however long nothing came; with
hundreds of queues it takes longer."""

NEWS_A_SECOND = 200
"""Peeks by which all resting agents together look at a queue that was opened: all hear of it at once."""

LONGEST_SPREAD = 60.0
"""Seconds after which all have looked there, however many they are."""

FAN_OUT = 2
"""Agents that one which found more work than it can do wakes at most by itself: each of them wakes as many
in its turn, so that 300 are awake after eight turns."""

TURN = 0.5
"""Seconds of focus on one queue while an equal one waits, and of staying where nothing comes."""


MAX_UNTOLD = 400
"""Outcomes that the broker has not confirmed: with more, nothing is taken until it does."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Names a queue that has work."""

    source: TaskQueue
    ready: int
    """Messages that wait there."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Holds what a probe found: best priority first, as far down as was of use."""

    waiting: tuple[Waiting, ...] = ()
    depths: Mapping[TaskQueue, Depth] | None = None
    """Of every queue that was probed."""
    cost: float = 0.0
    """Seconds that the probe took."""


def by_level(sources: Iterable[TaskQueue], rng: random.Random) -> list[list[TaskQueue]]:
    """Best priority first; equal lanes in an order of chance, so that none is always last."""
    levels: dict[int, list[TaskQueue]] = {}
    for source in sources:
        levels.setdefault(source.priority.rank, []).append(source)
    for level in levels.values():
        rng.shuffle(level)
    return [levels[rank] for rank in sorted(levels)]


def in_batches(levels: Iterable[list[TaskQueue]], most: int) -> Iterable[list[TaskQueue]]:
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
    """Seconds for which a probe may be acted upon, so that probing takes a third of the time at most."""
    return min(max(0.005, 2 * cost), 0.05)


def is_brisk(mean: float, slots: int) -> bool:
    """Whether tasks of ``mean`` seconds are better pushed than asked for one by one."""
    return mean * BRISK < slots


def is_pushed(found: ProbeResult, rooms: Mapping[TaskQueue, int], free: int) -> bool:
    """Whether all that waits comes by itself to an agent with so many slots ``free``: the queues that it
    consumes push as many tasks more as they have room for before it has ended any.
    """
    return sum(one.ready for one in found.waiting) <= free and all(
        one.ready <= rooms.get(one.source, 0) for one in found.waiting
    )


def focus_window(mean: float, free: int) -> int:
    """How many messages to have pushed at a time to ``free`` slots."""
    ahead = math.ceil(free * HOLD / max(mean, 1e-6))
    return max(free, min(free + ahead, MAX_WINDOW))


def pause_at_rest(quiet: float, peeks: int, rng: random.Random) -> float:
    """Seconds until the next peek, when nothing has come for ``quiet`` seconds and it takes
    ``peeks`` to see all queues once.
    """
    longest = max(SHORTEST_PAUSE, min(LONGEST_PAUSE, LONGEST_ROUND / max(peeks, 1)))
    return min(max(SHORTEST_PAUSE, quiet / 10), longest) * rng.uniform(0.5, 1.0)


def pause_in_fleet(fleet: int, rng: random.Random, *, shared: float, longest: float) -> float:
    """Seconds until the next peek of one of so many resting agents, where all together peek every ``shared``
    seconds or so, and each after ``longest`` at the latest.
    """
    return min(fleet * shared, longest) * rng.uniform(0.5, 1.0)


def look_spread(fleet: int) -> float:
    """Seconds in which so many resting agents look at a queue that all have just heard of."""
    return min(fleet / NEWS_A_SECOND, LONGEST_SPREAD)


def calls_to_make(more: int | None, *, allowed: int | None, leaves: bool) -> list[int | None]:
    """What each agent that is woken may wake in its turn, where ``more`` tasks wait than one can start: one
    agent for each, within what one is ``allowed`` (None: no limit), up to `FAN_OUT` of them by oneself. Where
    ``more`` is None, one did not look, and passes on what one was allowed.

    One that ``leaves`` queues which it consumed while it rested wakes at least one.
    """
    if more is None:
        to_wake = allowed or 0
    else:
        to_wake = more if allowed is None else min(more, allowed)
    if to_wake <= 0:
        return [None if allowed is None else 0] if leaves else []
    calls = min(to_wake, FAN_OUT)
    return [(to_wake - calls + number) // calls for number in range(calls)]


def queues_to_consume(
    depths: Mapping[TaskQueue, Depth],
    consumed: AbstractSet[TaskQueue],
    rng: random.Random,
    *,
    others: int | None = None,
) -> list[TaskQueue]:
    """Those to consume as well, at rest: all that nobody consumes, and some that few do.

    ``others`` is how many other agents rest, where that is known: no more can be waiting at a queue, though
    the broker also counts those who have left it with a task that still runs.
    """
    free = [source for source in depths if source not in consumed]
    rng.shuffle(free)

    def consumers_of(source: TaskQueue) -> int:
        counted = depths[source].consumers
        return counted if others is None else min(counted, others)

    free.sort(key=lambda source: (consumers_of(source), source.priority.rank))
    chosen: list[TaskQueue] = []
    for source in free:
        taken = len(consumed) + len(chosen)
        consumers = consumers_of(source)
        if (
            taken >= MAX_QUEUES
            or consumers >= MAX_CONSUMERS
            or (consumers > 0 and taken >= SHARED_QUEUES)
        ):
            break
        chosen.append(source)
    return chosen


def prefetch_shares(
    queues: Sequence[TaskQueue], free: int, lately: Mapping[TaskQueue, int]
) -> list[int]:
    """How many tasks each of the queues may push to an agent with so many slots ``free``: one, and of what
    is left over in proportion to what came from there ``lately``.
    """
    shares = [lately.get(queue, 0) for queue in queues]
    if not any(shares):
        shares = [1] * len(queues)
    over = max(0, free - len(queues))
    return [1 + over * share // sum(shares) for share in shares]


class Verdict(Enum):
    """Says what a focused agent does after a probe."""

    STAY = auto()
    BETTER_WAITS = auto()
    EQUAL_WAITS = auto()
    TOO_SLOW = auto()
    DRY = auto()


def stay_focused(
    source: TaskQueue,
    found: ProbeResult,
    *,
    brisk: bool,
    idle: bool,
    focused_for: float,
    dry_for: float,
) -> Verdict:
    """``idle`` is whether slots are free; ``dry_for`` the seconds since the queue last had any."""
    ranks = {waiting.source.priority.rank for waiting in found.waiting if waiting.source != source}
    here = any(waiting.source == source for waiting in found.waiting)
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
