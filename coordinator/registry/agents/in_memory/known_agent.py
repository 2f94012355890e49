"""Holds one agent as this process knows it, and makes the profile that matching looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from coordinator.domain.agent import OF_THE_AGENT, Agent, may_be_one
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.clock_skew import ClockSkew
from coordinator.domain.task import TasksInHand
from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.messages.events import AgentHeartbeat, AgentRegistered
from coordinator.protocol.messages.heartbeat_reading import unread_tasks
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["KnownAgent", "profile_of"]

_STATUSES = frozenset(status.value for status in AgentStatus)


@dataclass(slots=True, kw_only=True)
class KnownAgent:
    """Joins what is durable of an agent with what was heard since."""

    agent: Agent
    heard_at: datetime
    """By this coordinator's wall clock, to be shown; silence is measured on another, see
    `agent_silence`."""
    heartbeat: AgentHeartbeat | None = None
    account: AgentHeartbeat | None = None
    """The last one that told what the agent has in hand: an agent may beat over HTTP as well."""
    in_hand: TasksInHand = field(default_factory=dict)
    """What of that is believed: `named_tasks`."""
    has_named: bool = False
    """Whether this process of the agent ever named a task."""
    load_metrics: dict[str, float] | None = None
    """The last that were told, by heartbeat or with a status."""
    overtaken: str | None = None
    """The process whose heartbeats those of another one replaced."""
    doubled: float | None = None
    """When two processes were last heard in turn under this id, on the hearing clock."""
    clock_skew: timedelta | None = None
    """How far the agent's clock is ahead of this process's; None where that is not known."""
    left_out: tuple[LeftOut, ...] = ()
    """What of the last heartbeat could not be read."""
    renumbered: bool = False
    """Whether it has registered since its last heartbeat: it may be another process, started with the same
    word for an `instance`, and counts from 1 again.
    """
    changed: bool = True
    """Since the last snapshot."""
    _clock: ClockSkew = field(default_factory=ClockSkew)

    @property
    def agent_id(self) -> str:
        return self.agent.registration.agent_id

    @property
    def registered_by(self) -> str | None:
        """Who registered it over HTTP, where that is known."""
        return self.agent.registration.registered_by

    @property
    def slots(self) -> int | None:
        """As told last; None where it never told."""
        beat = self.heartbeat
        return beat.slots if beat is not None and beat.slots else self.agent.registration.slots

    @property
    def running(self) -> int:
        """Tasks that run there, as of its last heartbeat."""
        return 0 if self.heartbeat is None else len(self.heartbeat.running)

    @property
    def unreadable(self) -> Sequence[str]:
        """Queues that its user on the broker may not read, as of its last heartbeat."""
        return () if self.heartbeat is None else self.heartbeat.unreadable or ()

    def may_read(self, queue: str) -> bool:
        """Whether it does not say that its user may not."""
        return queue not in self.unreadable

    def may_read_lane(self, lane: str) -> bool:
        """The same of all queues of a lane."""
        return not self.unreadable or all(
            self.may_read(TaskQueue(lane, priority).queue) for priority in Priority
        )

    @property
    def names_tasks(self) -> bool:
        """Whether a task that its heartbeats do not name is not in its hands, as far as it says: it
        promised so, or has named one before.
        """
        return self.has_named or (self.account is not None and self.account.held is not None)

    def take(
        self,
        beat: AgentHeartbeat | None,
        left_out: tuple[LeftOut, ...] = (),
        in_hand: TasksInHand | None = None,
    ) -> None:
        """Its newest heartbeat, what of it could not be read, and which of its tasks are believed; None where
        another process of the agent has registered.
        """
        another = (
            self.heartbeat is not None and beat is not None and _of_another(self.heartbeat, beat)
        )
        if beat is None or another or unread_tasks(left_out):
            self.account, self.in_hand, self.has_named = None, {}, False
        self.heartbeat, self.left_out, self.renumbered = beat, left_out, False
        if beat is not None and _names(beat):
            self.account, self.in_hand = beat, in_hand or {}
            self.has_named = self.has_named or bool(beat.running or beat.held)

    @property
    def declared(self) -> AgentStatus:
        """Somebody's word before the agent's own, where it is about the process that was heard last."""
        said = None if self.heartbeat is None else self.heartbeat.status
        declared = self.agent.declared
        if declared not in OF_THE_AGENT and self.replaced:
            declared = AgentStatus.ACTIVE
        if declared is AgentStatus.ACTIVE and said in _STATUSES:
            return AgentStatus(said)
        return declared

    @property
    def replaced(self) -> bool:
        """Whether another process was heard last than the one that registered last."""
        beat = self.heartbeat
        return beat is not None and not may_be_one(beat.instance, self.agent.registration.instance)

    def compare_clocks(self, instance: str, sent_at: datetime) -> None:
        """A beat of this process, sent then by its clock, was heard just now."""
        told = self._clock.note(instance, sent_at=sent_at, heard_at=self.heard_at)
        if told is not None:
            self.clock_skew = told

    def begin_anew(self, instance: str | None) -> None:
        """This process has registered; it may have been heard before."""
        if self.heartbeat is not None and self.heartbeat.instance != instance:
            self.take(None)


def profile_of(registration: AgentRegistered) -> Profile:
    """What matching looks at."""
    return Profile(
        agent_id=registration.agent_id,
        agent_type=registration.agent_type,
        capabilities=frozenset(registration.capabilities),
        services=frozenset(registration.services),
        # An empty list says no more than none: many clients send one for what was never set.
        task_types=frozenset(registration.task_types) if registration.task_types else None,
    )


def _names(beat: AgentHeartbeat) -> bool:
    """Whether it says which tasks its agent has in hand: null says nothing."""
    return beat.held is not None or "running" in beat.model_fields_set


def _of_another(last: AgentHeartbeat, beat: AgentHeartbeat) -> bool:
    """Over HTTP a heartbeat names no process."""
    return None not in (last.instance, beat.instance) and last.instance != beat.instance
