"""Warns that a task would wait for an agent that is not there, and says what has to change."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.ineligibility_reasons import TAKES_WORK
from coordinator.errors import LedgerUnavailable
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.requirements import Requirements
from coordinator.registry.agents.in_memory.known_agent import KnownAgent
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.past_agent_offers import never_offered

from .able_agents import AbleAgents

__all__ = ["UnservedTaskWarning"]

WARNING_SECONDS = 1.0
"""For how long the answer for one set of requirements is good: producers submit many alike."""

REMEMBERED = 1000
"""Answers that are kept, the last that were asked for."""

LONGEST_TYPE = 128
"""Characters of a task type whose answer is kept: a type may be as long as a body."""


class UnservedTaskWarning:
    """Looks at the agents in memory; only where none suits does it ask the ledger who ever did."""

    def __init__(
        self,
        *,
        agents: LiveAgents,
        types: AnnouncedTypes,
        ledger: Ledger,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``monotonic`` tells seconds, from any start."""
        self._agents = agents
        self._able = AbleAgents(agents)
        self._types = types
        self._ledger = ledger
        self._monotonic = monotonic
        self._known: OrderedDict[tuple[Requirements, str | None], tuple[float, str | None]] = (
            OrderedDict()
        )

    async def of(self, asked: Requirements, task_type: str | None) -> str | None:
        """A sentence or two; None where an agent would take the task. An answer is at most a second
        old. Raises `LedgerUnavailable`.
        """
        now = self._monotonic()
        key = asked, task_type
        known = self._known.get(key)
        if known is not None and now - known[0] < WARNING_SECONDS:
            return known[1]
        told = await self._look(asked, task_type)
        if task_type is not None and len(task_type) > LONGEST_TYPE:
            return told
        self._known[key] = now, told
        self._known.move_to_end(key)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return told

    async def _look(self, asked: Requirements, task_type: str | None) -> str | None:
        wanted = self._types.routed(asked, task_type)
        found = self._able.find(wanted)
        takers = [known for known in found if self._agents.takes_work(known)]
        if takers:
            return self._taken_by(takers, lane_name(wanted), task_type)
        deaf = sum(self._agents.status(known) in TAKES_WORK for known in found)
        if deaf:
            return (
                f"{_deaf(len(found), deaf)}, and who speaks HTTP alone takes no tasks. The task waits"
                " until one listens."
            )
        if found:
            return _resting(len(found))
        if not self._able.find(wanted, any_type=True):
            waits = (
                "No agent that is registered now meets the requirements: the task waits for one."
            )
            return " ".join([waits, *await self._never(asked)])
        if task_type is None:
            return (
                "The task has no task_type, and no agent that is registered now has a handler for such"
                " tasks: it waits for one."
            )
        waits = (
            f"No agent that is registered now has a handler for tasks of the type {task_type!r}: the"
            " task waits for one."
        )
        return " ".join([waits, *await self._never(Requirements(task_type=task_type))])

    def _taken_by(
        self, takers: Sequence[KnownAgent], lane: str, task_type: str | None
    ) -> str | None:
        readers = [known for known in takers if known.may_read_lane(lane)]
        if not readers:
            return _unreadable(len(takers), lane)
        return self._only_by_default(task_type, readers)

    def _only_by_default(self, task_type: str | None, takers: Sequence[KnownAgent]) -> str | None:
        """In a fleet that announces its types, one that nobody did is most often a typing error."""
        if task_type is None or task_type in self._types or not self._types.all:
            return None
        if not all(known.agent.registration.task_types for known in takers):
            return None
        return (
            f"No agent that ever registered has a handler of its own for tasks of the type {task_type!r}:"
            " an agent with a default handler takes the task."
        )

    async def _never(self, asked: Requirements) -> list[str]:
        """Nothing while the ledger is away: a task that was accepted is not answered 503 over a warning."""
        try:
            return await self._ledger.read(partial(never_offered, asked))
        except LedgerUnavailable:
            return []


def _resting(found: int) -> str:
    if found == 1:
        return "The one agent that meets the requirements takes no work now: the task waits until it does."
    return (
        f"None of the {found} agents that meet the requirements takes work now: the task waits until one"
        " does."
    )


def _unreadable(found: int, lane: str) -> str:
    who = "The one agent that would take it lacks"
    if found > 1:
        who = f"All {found} agents that would take it lack"
    return (
        f"{who} the permission to read the lane {lane} on the broker: the task waits until an administrator"
        " grants it, with `coordinator agents add` or the broker's own tools."
    )


def _deaf(found: int, deaf: int) -> str:
    if found == 1:
        return (
            "The one agent that meets the requirements does not listen: it would take work, but no"
            " control queue of its own is on the broker"
        )
    return (
        f"None of the {found} agents that meet the requirements listens: {deaf} of them would take work,"
        " but no control queue of theirs is on the broker"
    )
