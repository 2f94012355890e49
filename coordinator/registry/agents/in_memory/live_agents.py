"""Knows every agent, in memory: registrations from the ledger and the log, heartbeats from the broker.

    heartbeat ─▶ heartbeat_intake ─┐
                                   ├─▶ agent_roster ─▶ agent_search, agent_view
    statement ─▶ statement_intake ─┘   index, silence, control queues

A heartbeat never touches SQL: `LiveAgents.changed` tells what changed, to be written in one go now and
then. Silence is measured on a clock that runs only while this process hears agents, see
`domain.hearing_clock`; what is said about agents counts in the order of the log, see `unfolded_statements`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from coordinator.domain.agent import Agent
from coordinator.domain.agent_status_rules import STALE_AFTER
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.ineligibility_reasons import TAKES_WORK
from coordinator.domain.task import TasksInHand
from coordinator.protocol.messages.events import AgentEvent, AgentHeartbeat, Event
from coordinator.registry.tables.event_rows import Identity

from .agent_filter import AgentFilter
from .agent_roster import AgentRoster
from .agent_search import AgentSearch
from .agent_view import AgentView, AgentViews
from .doubled_instances import DoubledInstances
from .heartbeat_intake import HeartbeatIntake
from .known_agent import KnownAgent
from .named_tasks import BELIEVING, NamedTasks
from .statement_intake import StatementIntake
from .unfolded_statements import UnfoldedStatements

__all__ = ["LiveAgents"]


class LiveAgents:
    """Takes events in any order and any number of times; `settle` brings it to what the ledger made
    of them.

    The face of this room: it decides nothing, and hands each call to the part whose job it is.
    """

    def __init__(
        self,
        *,
        stale_after: timedelta = STALE_AFTER,
        named: NamedTasks = BELIEVING,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``named`` says which tasks of a heartbeat count; ``monotonic`` tells seconds, from any start;
        ``now`` is the wall clock, aware.
        """
        self._roster = AgentRoster(stale_after=stale_after, monotonic=monotonic, now=now)
        self._silence = self._roster.silence
        self._doubled = DoubledInstances(self._silence)
        self.statements = UnfoldedStatements(monotonic)
        self._heartbeats = HeartbeatIntake(self._roster, self._doubled, named)
        self._stated = StatementIntake(self._roster, self.statements)
        self._views = AgentViews(self._roster, self._doubled)
        self._search = AgentSearch(self._roster)

    def __len__(self) -> int:
        return len(self._roster)

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._roster

    def get(self, agent_id: str) -> KnownAgent | None:
        """None for one that is not known."""
        return self._roster.get(agent_id)

    def all(self) -> Iterable[KnownAgent]:
        """Every agent, in no order."""
        return self._roster.all()

    # --- hearing ------------------------------------------------------------------------------

    @property
    def hearing(self) -> bool:
        """Whether heartbeats arrive, so that silence counts."""
        return self._silence.hearing

    def start_hearing(self) -> None:
        """From now on heartbeats arrive, and silence counts."""
        self._silence.start_hearing()

    def stop_hearing(self) -> None:
        """From now on none arrives, and time is nobody's silence."""
        self._silence.stop_hearing()

    @property
    def stale_after(self) -> timedelta:
        """Silence after which an agent is stale."""
        return self._silence.stale_after

    @property
    def seconds_heard(self) -> float:
        """For how long this process has heard agents until now."""
        return self._silence.now()

    def silence(self, known: KnownAgent) -> timedelta:
        """How long the agent was not heard while this process heard agents."""
        return self._silence.of(known.agent_id)

    def silent_for(self, longest: timedelta) -> list[str]:
        """The ids of agents that were not heard of for longer than ``longest``, which is more than
        `stale_after`; the longest silent first.
        """
        self.mark_stale()
        return self._silence.longer_than(longest)

    def mark_stale(self) -> None:
        """Note who has fallen silent. Cheap; to be called more often than every five seconds."""
        self._roster.mark_stale()

    # --- what comes in ------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Take in one event; those that are not about agents are left alone."""
        data = event.data
        if isinstance(data, AgentHeartbeat):
            self._heartbeats.take(event, data)
        elif isinstance(data, AgentEvent):
            self._stated.take(event, data)

    def settle(self, agent_id: str, agent: Agent | None, done: Collection[Identity]) -> None:
        """The ledger has the agent so; None for one that it does not have. The statements ``done``
        are in it, or never will be. One that is not known here is to be restored instead.
        """
        self._stated.settle(agent_id, agent, done)

    def restore(
        self,
        agent: Agent,
        *,
        heartbeat: AgentHeartbeat | None,
        load_metrics: dict[str, float] | None,
        heard_at: datetime,
        silence: timedelta,
        clock_skew: timedelta | None = None,
        done: Collection[Identity] = (),
    ) -> None:
        """`settle` with an agent that the ledger has; of one that is not known here, take in the
        latest snapshot, too.

        Call `restored` after the last one.
        """
        self._stated.restore(
            agent,
            heartbeat=heartbeat,
            load_metrics=load_metrics,
            heard_at=heard_at,
            silence=silence,
            clock_skew=clock_skew,
            done=done,
        )

    def restored(self) -> None:
        """Put those that were restored among those that were heard."""
        self._roster.settle_restored()

    def changed(self) -> list[KnownAgent]:
        """What changed since this was asked last, for a snapshot."""
        found = [known for known in self._roster.all() if known.changed]
        for known in found:
            known.changed = False
        return found

    # --- control queues -----------------------------------------------------------------------

    def on_broker(self, known: KnownAgent) -> bool:
        """Whether it has a control queue there, as far as is known."""
        return known.agent_id in self._roster.control_queues

    def unproven(self, now: float, *, again_after: timedelta, most: int) -> Iterable[str]:
        """Of which agents the broker is to be asked ``now`` whether they have one; those whose status
        lets them take work, for of the others it makes no difference.
        """
        due = self._roster.control_queues.due(now, again_after=again_after, most=most)
        agents = self._roster.of(due)
        return [known.agent_id for known in agents if self.status(known) in TAKES_WORK]

    def probed(self, agent_id: str, *, present: bool) -> None:
        """What the broker said."""
        known = self._roster.get(agent_id)
        if known is not None:
            self._roster.control_queues.answer(agent_id, present=present)
            self._roster.restate(known)

    # --- of one agent -------------------------------------------------------------------------

    def status(self, known: KnownAgent) -> AgentStatus:
        """Merged of what was declared, its silence and its load."""
        return self._roster.status(known)

    def takes_work(self, known: KnownAgent) -> bool:
        """Whether it listens: it starts tasks, now or when a slot is free."""
        return self._roster.listens(known, self._roster.status(known))

    def view(self, known: KnownAgent) -> AgentView:
        """The agent as the API tells it."""
        return self._views.of(known)

    def is_doubled(self, known: KnownAgent) -> bool:
        """Whether two processes beat in turn under its id, so that either hides the other."""
        return self._doubled.other(known) is not None

    def skew_of(self, agent_id: str) -> timedelta | None:
        """How far its clock is ahead of this process's; None where that is not known. To be asked
        from any thread.
        """
        known = self._roster.get(agent_id)
        return None if known is None else known.clock_skew

    # --- of many ------------------------------------------------------------------------------

    def find(
        self,
        *,
        status: str | None = None,
        agent_type: str | None = None,
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
        task_type: str | None = None,
    ) -> list[KnownAgent]:
        """Every agent that has all of it, by id; see `AgentFilter.task_type`."""
        return self._search.find(
            status=status,
            agent_type=agent_type,
            capabilities=capabilities,
            services=services,
            task_type=task_type,
        )

    def page(
        self, wanted: AgentFilter, *, after: str | None, limit: int
    ) -> tuple[list[KnownAgent], int, bool]:
        """The first ``limit`` that ``wanted`` admits and whose id comes after ``after``, by id; how
        many it admits in all; and whether more follow.
        """
        return self._search.page(wanted, after=after, limit=limit)

    def total(self, wanted: AgentFilter) -> int:
        """How many ``wanted`` admits."""
        return self._search.total(wanted)

    def count(self, status: AgentStatus) -> int:
        """Agents of this status."""
        return self._search.count(status)

    def count_listening(self) -> int:
        """Agents that take work, now or when a slot is free."""
        return self._search.total(AgentFilter(listening=True))

    @property
    def weighted(self) -> int:
        """Agents with a `weight` in their metadata."""
        return self._roster.index.weighted

    def mean_load(self) -> float:
        """Running tasks per agent that is active or busy; 0.0 where there is none."""
        return self._search.mean_load()

    def in_hand(self, *, heard_within: timedelta = timedelta.max) -> TasksInHand:
        """The tasks that agents are believed to have, running or not yet; of agents that were heard lately
        alone, where that is said.
        """
        return self._search.in_hand(heard_within=heard_within)

    def claimed(
        self, *, heard_within: timedelta = timedelta.max
    ) -> Mapping[tuple[str, int], Collection[str]]:
        """By a task's id and generation, the agents that name it without being believed."""
        return self._search.claimed(heard_within=heard_within)
