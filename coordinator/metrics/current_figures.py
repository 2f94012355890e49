"""Reads what is true now of the whole service: queues, agents, backlogs. Each part may fail by itself.

Depths are those that admission has counted in the last seconds anyway. Of the rest a scrape costs one look
into an index for each open queue, and one mark through the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from coordinator.broker.channel import Depth
from coordinator.broker.ports import ReadsQueueDepths
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import BrokerUnavailable
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import LOG
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries.queue_sizes import QueueSizes
from coordinator.registry.queries.queue_statistics import QueueStatistics
from coordinator.registry.upkeep.ledger_backlog import ledger_backlog

from .counted_figures import Labels
from .lane_labels import OF_AGENTS, OTHERS, lane_labels
from .metric_catalogue import (
    AGENT_SILENCE,
    AGENT_TASKS,
    AGENTS,
    CALLBACKS_DEAD,
    CALLBACKS_PENDING,
    INPUT_REQUIRED,
    LAG_MESSAGES,
    LAG_SECONDS,
    LANE_LISTENING,
    LISTENING,
    OUTBOX,
    OUTBOX_DUE,
    PARKED,
    PART_FAILED,
    PROBLEMS,
    QUEUE_OLDEST,
    QUEUE_TASKS,
    READY,
)
from .part_reader import PartReader
from .projector_lag import ProjectorLag

__all__ = ["CurrentFigures", "CurrentSources", "Figures"]

Figures = dict[str, dict[Labels, float]]
"""Values by the name of the metric and by labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSources:
    """Holds what is asked."""

    ledger: Ledger
    agents: LiveAgents
    book: TaskQueues
    depths: ReadsQueueDepths
    """Looks at the log."""
    counted_depths: Callable[[], Mapping[str, Depth | None] | None]
    """The depths of the queues as admission saw them last; None where it does not look."""
    sizes: QueueSizes
    """Looks at the queues where admission does not."""
    lines: QueueStatistics
    lag: ProjectorLag
    problems: Callable[[], Sequence[str]]
    obstacles: Callable[[], Sequence[str]]
    now: Callable[[], datetime]


class CurrentFigures:
    """``most_lanes`` and ``most_agents`` have series of their own; the others are summed up, or left out."""

    def __init__(self, sources: CurrentSources, *, most_lanes: int, most_agents: int) -> None:
        self._sources = sources
        self._most_lanes = most_lanes
        self._most_agents = most_agents
        self._parts = PartReader(
            {
                "depths": self._depths,
                "ages": self._ages,
                "ledger": self._backlog,
                "log": self._log,
                "lag": self._lag,
            }
        )

    async def read(self) -> Figures:
        """All that can be read now, and soon; what cannot is named by `PART_FAILED`."""
        found: Figures = {}
        failed: dict[Labels, float] = {}
        for name, part in (await self._parts.read()).items():
            failed[(name,)] = 1 if part is None else 0
            found |= part or {}
        return found | self._agents() | self._state() | {PART_FAILED.name: failed}

    async def aclose(self) -> None:
        """Nobody asks any more."""
        await self._parts.aclose()
        await self._sources.lag.aclose()

    async def _depths(self) -> Figures:
        seen = self._sources.counted_depths()
        if seen is not None:
            ready = {queue: _ready(seen.get(queue.queue)) for queue in self._queues()}
        else:
            ready = {found.source: found.ready for found in await self._sources.sizes.look()}
        labels = self._labels()
        tasks: dict[Labels, float] = {}
        for queue, count in ready.items():
            key = (queue.priority.value, labels.get(queue.lane, OTHERS))
            tasks[key] = tasks.get(key, 0) + count
        return {QUEUE_TASKS.name: tasks}

    async def _ages(self) -> Figures:
        lines = await self._sources.lines.lines()
        labels = self._labels()
        oldest: dict[Labels, float] = {}
        listening: dict[Labels, float] = {}
        for queue, line in lines.items():
            label = labels.get(queue.lane, OTHERS)
            age = 0.0 if line.oldest is None else line.oldest.total_seconds()
            key = (queue.priority.value, label)
            oldest[key] = max(oldest.get(key, 0.0), age)
            if label not in (OTHERS, OF_AGENTS):
                listening[(label,)] = line.listening
        return {QUEUE_OLDEST.name: oldest, LANE_LISTENING.name: listening}

    async def _backlog(self) -> Figures:
        backlog = await self._sources.ledger.read(partial(ledger_backlog, self._sources.now()))
        return {
            OUTBOX_DUE.name: {(): backlog.due},
            OUTBOX.name: {(): backlog.outbox},
            PARKED.name: {(): backlog.parked},
            INPUT_REQUIRED.name: {(): backlog.input_required},
            CALLBACKS_PENDING.name: {(): backlog.callbacks_pending},
            CALLBACKS_DEAD.name: {(): backlog.callbacks_dead},
        }

    async def _log(self) -> Figures:
        depth = (await self._sources.depths.look([LOG]))[LOG]
        if depth is None:
            raise BrokerUnavailable("The log is not there")
        return {LAG_MESSAGES.name: {(): depth.ready}}

    async def _lag(self) -> Figures:
        return {LAG_SECONDS.name: {(): await self._sources.lag.seconds()}}

    def _agents(self) -> Figures:
        agents = self._sources.agents
        agents.mark_stale()
        found: Figures = {
            AGENTS.name: {(status.value,): agents.count(status) for status in AgentStatus},
            LISTENING.name: {(): agents.count_listening()},
        }
        named = sorted(agents.all(), key=lambda known: known.agent_id)[: self._most_agents]
        if named:
            found[AGENT_TASKS.name] = {(known.agent_id,): known.running for known in named}
            found[AGENT_SILENCE.name] = {
                (known.agent_id,): agents.silence(known).total_seconds() for known in named
            }
        return found

    def _state(self) -> Figures:
        return {
            READY.name: {(): 0 if self._sources.obstacles() else 1},
            PROBLEMS.name: {(): len(self._sources.problems())},
        }

    def _queues(self) -> Sequence[TaskQueue]:
        return self._sources.book.sources()

    def _labels(self) -> dict[str, str]:
        book = self._sources.book
        return lane_labels(
            self._queues(),
            of_agent=lambda queue: book.requirements(queue).agent_id is not None,
            most=self._most_lanes,
        )


def _ready(depth: Depth | None) -> int:
    return 0 if depth is None else depth.ready
