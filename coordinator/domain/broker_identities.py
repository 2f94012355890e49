"""Decides who may say what, by the broker's user that published it: its own agent's, or a coordinator's.

The broker refuses a message whose `user_id` is not the name of its publisher. An agent's user is called as
the agent's id is written in names on the broker, or is entered for it in the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from coordinator.errors import ForgedIdentity
from coordinator.protocol.messages.events import AgentEvent, AgentRegistered, EventData
from coordinator.protocol.name_encoding import encode_word

__all__ = ["ANYBODY", "BrokerIdentities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerIdentities:
    """Holds whose the broker's users are."""

    required: bool = False
    """Whether it is looked at; if not, the routing key alone says who speaks."""
    coordinators: frozenset[str] = frozenset()
    """The users of coordinators."""
    agents: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    """For each user that was entered, the ids of its agents. It speaks for no other."""

    def check(self, data: EventData, user: str | None) -> None:
        """Raises `ForgedIdentity` where ``user``, by whom it was published, may not state it."""
        if not self.required:
            return
        author = data.author
        if user is None:
            raise ForgedIdentity(
                f"{data.TYPE} names no user of the broker: set the property user_id to the name of the"
                " user who publishes it, since COORDINATOR_REQUIRE_IDENTITY is on"
            )
        if author is None:
            if user not in self.coordinators:
                raise ForgedIdentity(
                    f"{data.TYPE} was published by the user {user!r}, who is no coordinator's"
                )
        elif isinstance(data, AgentRegistered) and user not in self.coordinators:
            raise ForgedIdentity(
                f"{data.TYPE} was published by the user {user!r}, who is no coordinator's: an agent asks to"
                " be registered, and the coordinator that has looked at its request says so"
            )
        elif not (self.may_speak_for(author, user) or self._for_an_agent(data, user)):
            raise ForgedIdentity(
                f"{data.TYPE} of {author!r} was published by the user {user!r}, who is not that agent's"
            )

    def may_speak_for(self, agent_id: str, user: str | None) -> bool:
        """Whether ``user`` is one of this agent's; anybody is where identity is not required."""
        return self.why_not(encode_word(agent_id), user) is None

    def why_not(self, word: str, user: str | None) -> str | None:
        """Why ``user`` may not speak for the agent that is called ``word`` in names on the broker, as a
        sentence's end; None where it may.
        """
        if not self.required:
            return None
        if user is None:
            return (
                "the message names no user of the broker, so that it is not this agent's: set its property"
                " user_id to the name of the user who publishes it"
            )
        entered = self.agents.get(user)
        if entered is None:
            own = user == word and user not in self.coordinators
        else:
            own = word in map(encode_word, entered)
        return None if own else f"the broker's user {user!r} is not this agent's"

    def _for_an_agent(self, data: EventData, user: str) -> bool:
        """Coordinators state what they were told over HTTP, or notice themselves."""
        return isinstance(data, AgentEvent) and user in self.coordinators


ANYBODY = BrokerIdentities()
"""Where identity is not required."""
