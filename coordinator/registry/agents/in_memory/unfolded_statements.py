"""Keeps what was said about agents: what the ledger has of each, and what it may not have yet.

    ledger's fold of an agent ─┬─▶ + what was heard since, in the order of arrival ─▶ the agent, now
    heard: own publish,        │
           live queue, log ────┘     each once, by its id; let go when the ledger has it

The same event comes by up to three ways, in different orders, and to another coordinator by others.
The ledger's order, which is the log's, is the one that counts: once it has all that was heard, every
process has exactly what the ledger has, whatever the clocks say.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import timedelta

from coordinator.domain.agent import Agent, fold_agent
from coordinator.protocol.messages.events import Event
from coordinator.registry.tables.event_rows import Identity, identity

__all__ = ["UnfoldedStatements"]

MOST_OF_ONE = 100
"""Statements about one agent that are kept apart; beyond it the oldest are taken as stored."""

REMEMBERED = 20_000
"""Statements that the ledger has, so that a copy which comes late by another way is no news."""


class UnfoldedStatements:
    """Folds both into the agent as it is now. The events must be durable ones about agents."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """``monotonic`` tells seconds, from any start."""
        self._monotonic = monotonic
        self._folded: dict[str, Agent] = {}
        self._heard: dict[str, OrderedDict[Identity, tuple[float, Event]]] = {}
        self._stored: OrderedDict[Identity, None] = OrderedDict()

    def hear(self, event: Event) -> bool:
        """Whether it is news."""
        key = identity(event)
        of_agent = self._heard.get(event.data.subject, _NOTHING)
        if key in self._stored or key in of_agent:
            return False
        of_agent = self._heard.setdefault(event.data.subject, OrderedDict())
        of_agent[key] = (self._monotonic(), event)
        if len(of_agent) > MOST_OF_ONE:
            self._take_as_stored(event.data.subject)
        return True

    def agent(self, agent_id: str) -> Agent | None:
        """As all that is known makes it; None for one that is not registered."""
        agent = self._folded.get(agent_id)
        for _, event in self._heard.get(agent_id, _NOTHING).values():
            agent = fold_agent(agent, event)
        return agent

    def folded(self, agent_id: str) -> Agent | None:
        """As the ledger had it when it was read last."""
        return self._folded.get(agent_id)

    def folded_ids(self) -> AbstractSet[str]:
        """The agents that the ledger had."""
        return self._folded.keys()

    def waiting(self, *, longer_than: timedelta = timedelta()) -> list[Event]:
        """What was heard and is not known to be in the ledger, for so long."""
        before = self._monotonic() - longer_than.total_seconds()
        return [
            event
            for of_agent in self._heard.values()
            for at, event in of_agent.values()
            if at <= before
        ]

    def waiting_of(self, agent_ids: Iterable[str]) -> list[Event]:
        """The same, of these agents."""
        return [
            event
            for agent_id in agent_ids
            for _, event in self._heard.get(agent_id, _NOTHING).values()
        ]

    def settle(self, agent_id: str, agent: Agent | None, done: Iterable[Identity]) -> None:
        """The ledger has the agent so, and with it these statements, or will never have them."""
        if agent is None:
            self._folded.pop(agent_id, None)
        else:
            self._folded[agent_id] = agent
        for key in done:
            self._let_go(agent_id, key)

    def _let_go(self, agent_id: str, key: Identity) -> None:
        of_agent = self._heard.get(agent_id)
        if of_agent is None or of_agent.pop(key, None) is None:
            return
        self._stored[key] = None
        if len(self._stored) > REMEMBERED:
            self._stored.popitem(last=False)
        if not of_agent:
            del self._heard[agent_id]

    def _take_as_stored(self, agent_id: str) -> None:
        key, (_, event) = next(iter(self._heard[agent_id].items()))
        self.settle(agent_id, fold_agent(self._folded.get(agent_id), event), [key])


_NOTHING: OrderedDict[Identity, tuple[float, Event]] = OrderedDict()
