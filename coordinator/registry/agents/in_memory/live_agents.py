"""Every agent, in memory: registrations from the ledger and the log, heartbeats from the broker.

A heartbeat never touches SQL: `changed` tells what changed, to be written in one go now and then.
Silence is measured on a clock that runs only while this process listens, see `domain.hearing_clock`; what
is said about agents counts in the order of the log, see `heard_statements`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.domain.agent import Agent, fold_agent, may_be_one
from coordinator.domain.agent_liveness import STALE_AFTER, health_score, merged_status
from coordinator.domain.agent_matching import TAKES_WORK
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.clock_skew import SKEW_BOUND
from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.messages.events import (
    AgentEvent,
    AgentHeartbeat,
    AgentRegistered,
    AgentStatusChanged,
    Event,
)
from coordinator.registry.projection.left_out_fields_log import LeftOutFieldsLog
from coordinator.registry.queries.task_view import AgentView
from coordinator.registry.tables.event_rows import Identity

from .agent_index import AgentFilter, AgentIndex
from .agent_silence import AgentSilence
from .control_queues import ControlQueues
from .heard_statements import HeardStatements
from .known_agent import KnownAgent

__all__ = ["LiveAgents"]

logger = logging.getLogger(__name__)

MOST_PROBLEMS, LONGEST_PROBLEM = 10, 400
"""How many are told of one agent, and their characters."""


class LiveAgents:
    """Takes events in any order and any number of times; `settle` brings it to what the ledger made
    of them.
    """

    def __init__(
        self,
        *,
        stale_after: timedelta = STALE_AFTER,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._agents: dict[str, KnownAgent] = {}
        self._index = AgentIndex()
        self._silence = AgentSilence(stale_after=stale_after, monotonic=monotonic)
        self._control_queues = ControlQueues()
        self._restoring: dict[str, timedelta] = {}
        self._left_out = LeftOutFieldsLog()
        self.statements = HeardStatements(monotonic)

    def __len__(self) -> int:
        return len(self._agents)

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._agents

    def get(self, agent_id: str) -> KnownAgent | None:
        return self._agents.get(agent_id)

    # --- listening ----------------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether heartbeats arrive, so that silence counts."""
        return self._silence.listening

    def listen(self) -> None:
        """From now on heartbeats arrive, and silence counts."""
        self._silence.listen()

    def stop_listening(self) -> None:
        self._silence.stop_listening()

    @property
    def stale_after(self) -> timedelta:
        return self._silence.stale_after

    @property
    def listened(self) -> float:
        """Seconds for which this process has listened until now."""
        return self._silence.now()

    def silence(self, known: KnownAgent) -> timedelta:
        """How long the agent was not heard while this process listened."""
        return self._silence.of(known.agent_id)

    def look(self) -> None:
        """Note who has fallen silent. Cheap; to be called more often than every five seconds."""
        for agent_id in self._silence.newly_stale():
            self._index.set_status(agent_id, AgentStatus.STALE, self._agents[agent_id].running)
            self._index.set_listening(agent_id, listening=False)

    # --- what comes in ------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Take in one event; those that are not about agents are left alone."""
        data = event.data
        if isinstance(data, AgentHeartbeat):
            self._beat(event, data)
        elif isinstance(data, AgentEvent) and self.statements.hear(event):
            self._state(event, data)

    def _state(self, event: Event, data: AgentEvent) -> None:
        known = self._agents.get(data.agent_id)
        before = None if known is None else known.agent
        after = fold_agent(before, event)
        if after is None:
            self._drop(known)
            return
        if known is None:
            known = KnownAgent(agent=after, heard_at=self._now())
            self._take(known)
        self._replace(known, after)
        if isinstance(data, AgentRegistered):
            known.renumbered = True
            if before is not None and data.instance != before.registration.instance:
                known.begin_anew(data.instance)
            self._hear(known)
        if isinstance(data, AgentStatusChanged) and data.load_metrics:
            known.load_metrics = dict(data.load_metrics)
            known.changed = True
        self._restate(known)

    # --- what the ledger says -----------------------------------------------------------------

    def settle(self, agent_id: str, agent: Agent | None, done: Collection[Identity]) -> None:
        """The ledger has the agent so; None for one that it does not have. The statements ``done``
        are in it, or never will be. One that is not known here is to be restored instead.
        """
        self.statements.settle(agent_id, agent, done)
        known = self._agents.get(agent_id)
        if known is None:
            return
        after = self.statements.agent(agent_id)
        if after is None:
            self._drop(known)
        elif after != known.agent:
            if after.registration == known.agent.registration:
                after = replace(after, registration=known.agent.registration)  # nothing new in it
            self._replace(known, after)
            self._restate(known)

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
        agent_id = agent.registration.agent_id
        self.settle(agent_id, agent, done)
        now = self.statements.agent(agent_id)
        if now is None or agent_id in self._agents:
            return
        # A beat of another process is older than the registration: it proves nothing of this one.
        own = heartbeat is not None and may_be_one(heartbeat.instance, now.registration.instance)
        self._restoring[agent_id] = silence
        known = KnownAgent(
            agent=now,
            heard_at=heard_at,
            load_metrics=load_metrics,
            clock_skew=clock_skew if own else None,
            changed=False,
        )
        known.take(heartbeat if own else None)
        self._take(known)

    def restored(self) -> None:
        """Put those that were restored among those that were heard."""
        if not self._restoring:
            return
        self._silence.restore(self._restoring)
        for agent_id in self._restoring:
            self._restate(self._agents[agent_id])
        self._restoring.clear()
        self.look()

    def _beat(self, event: Event, data: AgentHeartbeat) -> None:
        known = self._agents.get(data.agent_id)
        if known is None:
            return
        last = known.heartbeat
        if last is None or last.instance != data.instance:
            known.clock_skew = None
        if last is not None and data.instance is not None:
            if not known.renumbered and _is_overtaken(data, last):
                return
            if last.instance not in (None, data.instance):
                self._other_process(known, str(last.instance), data.instance)
        left_out = (*event.left_out, *_unknown_status(data))
        known.take(data, left_out)
        self._left_out.tell(data.agent_id, left_out)
        if data.load_metrics:
            known.load_metrics = dict(data.load_metrics)
        self._control_queues.sign(data.agent_id, via=data.via)
        self._hear(known)
        if data.instance is not None and event.dated:  # without one a coordinator may state it
            known.compare_clocks(data.instance, event.time)
        self._restate(known)

    def _other_process(self, known: KnownAgent, last: str, now: str) -> None:
        """A restart is heard once; two processes are heard in turn."""
        if known.overtaken == now:
            if known.doubled is None:
                logger.warning(
                    "two processes use the same agent id: give one of them another",
                    extra={"agent": known.agent_id, "instances": f"{last} {now}"},
                )
            known.doubled = self._silence.now()
        known.overtaken = last

    def _hear(self, known: KnownAgent) -> None:
        known.heard_at = self._now()
        known.changed = True
        self._restoring.pop(known.agent_id, None)
        self._silence.hear(known.agent_id)

    def _take(self, known: KnownAgent) -> None:
        self._agents[known.agent_id] = known
        self._silence.hear(known.agent_id)
        self._index.add(known.agent.registration)
        self._control_queues.meet(known.agent.registration, known.heartbeat)

    def _replace(self, known: KnownAgent, agent: Agent) -> None:
        if agent.registration is not known.agent.registration:
            self._index.discard(known.agent.registration)
            self._index.add(agent.registration)
            self._control_queues.sign(known.agent_id, via=agent.registration.via)
        known.agent = agent

    def _drop(self, known: KnownAgent | None) -> None:
        if known is not None:
            self._index.discard(known.agent.registration)
            del self._agents[known.agent_id]
            self._restoring.pop(known.agent_id, None)
            self._silence.forget(known.agent_id)
            self._control_queues.forget(known.agent_id)

    def _restate(self, known: KnownAgent) -> None:
        status = self.status(known)
        self._index.set_status(known.agent_id, status, known.running)
        self._index.set_listening(known.agent_id, listening=self._takes_work(known, status))

    # --- control queues -----------------------------------------------------------------------

    def on_broker(self, known: KnownAgent) -> bool:
        """Whether it has a control queue there, as far as is known."""
        return known.agent_id in self._control_queues

    def unproven(self, now: float, *, again_after: timedelta, most: int) -> Iterable[str]:
        """Of which agents the broker is to be asked ``now`` whether they have one; those whose status
        lets them take work, for of the others it makes no difference.
        """
        due = self._control_queues.due(now, again_after=again_after, most=most)
        return [one for one in due if self.status(self._agents[one]) in TAKES_WORK]

    def probed(self, agent_id: str, *, present: bool) -> None:
        """What the broker said."""
        known = self._agents.get(agent_id)
        if known is not None:
            self._control_queues.answer(agent_id, present=present)
            self._restate(known)

    # --- what is asked ------------------------------------------------------------------------

    def takes_work(self, known: KnownAgent) -> bool:
        """Whether it listens: it starts tasks, now or when a slot is free."""
        return self._takes_work(known, self.status(known))

    def _takes_work(self, known: KnownAgent, status: AgentStatus) -> bool:
        return status in TAKES_WORK and self.on_broker(known)

    def status(self, known: KnownAgent) -> AgentStatus:
        return self._status(known, self.silence(known))

    def _status(self, known: KnownAgent, silence: timedelta) -> AgentStatus:
        return merged_status(
            silence=silence,
            stale_after=self._silence.stale_after,
            declared=known.declared,
            slots=known.slots,
            running=known.running,
        )

    def view(self, known: KnownAgent) -> AgentView:
        """The agent as the API tells it."""
        registration, beat = known.agent.registration, known.heartbeat
        other = self._other_instance(known)
        skew = None if known.clock_skew is None else round(known.clock_skew.total_seconds(), 3)
        silence = self.silence(known)
        status = self._status(known, silence)
        return AgentView(
            agent_id=registration.agent_id,
            agent_type=registration.agent_type,
            status=status.value,
            listening=self._takes_work(known, status),
            capabilities=registration.capabilities,
            services=registration.services,
            task_types=registration.task_types or None,
            endpoints=registration.endpoints,
            metadata=registration.metadata | _remarks(other, skew, _problems(known)),
            last_heartbeat=known.heard_at,
            registration_time=known.agent.registered_at,
            load_metrics=known.load_metrics or {},
            health_score=health_score(
                silence=silence,
                stale_after=self._silence.stale_after,
                completed=beat.completed if beat else 0,
                failed=beat.failed if beat else 0,
                slots=known.slots,
                running=known.running,
            ),
            version=registration.version,
            tags=registration.tags,
            slots=known.slots,
            running=[task.task_id for task in beat.running] if beat else [],
            instance=(beat.instance if beat else None) or registration.instance,
            other_instance=other,
            clock_skew_seconds=skew,
        )

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
        self.look()
        found = self._index.find(
            status=status,
            agent_type=agent_type,
            capabilities=capabilities,
            services=services,
            task_type=task_type,
        )
        return [self._agents[agent_id] for agent_id in sorted(found)]

    def all(self) -> Iterable[KnownAgent]:
        """Every agent, in no order."""
        return self._agents.values()

    def in_hand(self, *, heard_within: timedelta = timedelta.max) -> set[tuple[str, int]]:
        """The tasks, with their generations, that agents say they have, running or not yet; of agents
        that were heard lately alone, where that is said.
        """
        return {
            (task.task_id, task.generation)
            for known in self._agents.values()
            if known.account is not None and self.silence(known) <= heard_within
            for task in (*known.account.running, *(known.account.held or ()))
        }

    def page(
        self, wanted: AgentFilter, *, after: str | None, limit: int
    ) -> tuple[list[KnownAgent], int, bool]:
        """The first ``limit`` that ``wanted`` admits and whose id comes after ``after``, by id; how
        many it admits in all; and whether more follow.
        """
        self.look()
        found = self._index.select(wanted)
        ids = self._index.first(found, after=after, count=limit + 1)
        return [self._agents[one] for one in ids[:limit]], len(found), len(ids) > limit

    def total(self, wanted: AgentFilter) -> int:
        """How many ``wanted`` admits."""
        self.look()
        return len(self._index.select(wanted))

    def count(self, status: AgentStatus) -> int:
        self.look()
        return self._index.count(status)

    def count_listening(self) -> int:
        """Agents that take work, now or when a slot is free."""
        return self.total(AgentFilter(listening=True))

    @property
    def weighted(self) -> int:
        """Agents with a `weight` in their metadata."""
        return self._index.weighted

    def mean_load(self) -> float:
        """Running tasks per agent that is active or busy; 0.0 where there is none."""
        self.look()
        live = (AgentStatus.ACTIVE, AgentStatus.BUSY)
        agents = sum(map(self._index.count, live))
        return sum(map(self._index.load, live)) / agents if agents else 0.0

    def silent_for(self, longest: timedelta) -> list[str]:
        """The ids of agents that were not heard of for longer than ``longest``, which is more than
        `stale_after`; the longest silent first.
        """
        self.look()
        return self._silence.longer_than(longest)

    def skew_of(self, agent_id: str) -> timedelta | None:
        """How far its clock is ahead of this process's; None where that is not known. To be asked
        from any thread.
        """
        known = self._agents.get(agent_id)
        return None if known is None else known.clock_skew

    def changed(self) -> list[KnownAgent]:
        """What changed since this was asked last, for a snapshot."""
        found = [known for known in self._agents.values() if known.changed]
        for known in found:
            known.changed = False
        return found

    def is_doubled(self, known: KnownAgent) -> bool:
        """Whether two processes beat in turn under its id, so that either hides the other."""
        return self._other_instance(known) is not None

    def _other_instance(self, known: KnownAgent) -> str | None:
        if known.doubled is None:
            return None
        since = self._silence.now() - known.doubled
        return known.overtaken if since <= self._silence.stale_after.total_seconds() else None


def _is_overtaken(beat: AgentHeartbeat, last: AgentHeartbeat) -> bool:
    """Whether it is a copy, or came late; what has no number of its own is taken as it comes."""
    numbered = "sequence" in beat.model_fields_set
    return numbered and beat.instance == last.instance and beat.sequence <= last.sequence


def _unknown_status(beat: AgentHeartbeat) -> Iterable[LeftOut]:
    if beat.status is not None and beat.status not in _STATUSES:
        yield LeftOut(field="status", why=f"{beat.status!r} is not one of: {', '.join(_STATUSES)}")


_STATUSES = tuple(status.value for status in AgentStatus)


def _remarks(other: str | None, skew: float | None, problems: Sequence[str]) -> dict[str, Any]:
    """What somebody should put right, among the agent's own metadata."""
    found: dict[str, Any] = {} if other is None else {"other_instance": other}
    if skew is not None and abs(skew) > SKEW_BOUND.total_seconds():
        found["clock_skew_seconds"] = skew
    if problems:
        found["problems"] = [one[:LONGEST_PROBLEM] for one in problems[:MOST_PROBLEMS]]
    return found


def _problems(known: KnownAgent) -> list[str]:
    """What it says itself, and what of its words could not be read."""
    said = [] if known.heartbeat is None else known.heartbeat.problems or []
    return [*said, *(f"heartbeats: {one} (left out)" for one in known.left_out)]
