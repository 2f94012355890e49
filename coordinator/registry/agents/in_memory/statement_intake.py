"""Takes in durable statements about agents: registrations, status changes, removals; and the ledger's word.

A statement is in force as soon as it is heard, and is replaced by what the ledger made of it, see
`unfolded_statements`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from coordinator.domain.agent import Agent, fold_agent, may_be_one
from coordinator.protocol.messages.events import (
    AgentEvent,
    AgentHeartbeat,
    AgentRegistered,
    AgentStatusChanged,
    Event,
)
from coordinator.registry.tables.event_rows import Identity

from .agent_roster import AgentRoster
from .known_agent import KnownAgent
from .named_tasks import BELIEVING
from .unfolded_statements import UnfoldedStatements

__all__ = ["StatementIntake"]


class StatementIntake:
    """Takes statements in any order and any number of times; `settle` and `restore` bring the roster
    to what the ledger made of them.
    """

    def __init__(self, roster: AgentRoster, statements: UnfoldedStatements) -> None:
        self._roster = roster
        self._statements = statements

    def take(self, event: Event, data: AgentEvent) -> None:
        """``data`` is the event's, and no heartbeat. A copy changes nothing."""
        if not self._statements.hear(event):
            return
        known = self._roster.get(data.agent_id)
        before = None if known is None else known.agent
        after = fold_agent(before, event)
        if after is None:
            self._roster.drop(known)
            return
        if known is None:
            known = self._roster.meet(after)
        self._roster.replace(known, after)
        if isinstance(data, AgentRegistered):
            known.renumbered = True
            if before is not None and data.instance != before.registration.instance:
                known.begin_anew(data.instance)
            self._roster.hear(known)
        if isinstance(data, AgentStatusChanged) and data.load_metrics:
            known.load_metrics = dict(data.load_metrics)
            known.changed = True
        self._roster.restate(known)

    def settle(self, agent_id: str, agent: Agent | None, done: Collection[Identity]) -> None:
        """The ledger has the agent so; None for one that it does not have. The statements ``done``
        are in it, or never will be. One that is not known here is to be restored instead.
        """
        self._statements.settle(agent_id, agent, done)
        known = self._roster.get(agent_id)
        if known is None:
            return
        after = self._statements.agent(agent_id)
        if after is None:
            self._roster.drop(known)
        elif after != known.agent:
            if after.registration == known.agent.registration:
                after = replace(after, registration=known.agent.registration)  # nothing new in it
            self._roster.replace(known, after)
            self._roster.restate(known)

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
        latest snapshot, too. `AgentRoster.settle_restored` follows the last.
        """
        agent_id = agent.registration.agent_id
        self.settle(agent_id, agent, done)
        now = self._statements.agent(agent_id)
        if now is None or agent_id in self._roster:
            return
        # A beat of another process is older than the registration: it proves nothing of this one.
        own = heartbeat is not None and may_be_one(heartbeat.instance, now.registration.instance)
        known = KnownAgent(
            agent=now,
            heard_at=heard_at,
            load_metrics=load_metrics,
            clock_skew=clock_skew if own else None,
            changed=False,
        )
        # Its tokens are not kept. It is believed until it is heard: who has a task at a restart keeps it.
        in_hand = {} if heartbeat is None else BELIEVING.believed(heartbeat)[0]
        known.take(heartbeat if own else None, in_hand=in_hand)
        self._roster.restore(known, silence)
