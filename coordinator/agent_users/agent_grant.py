"""Says what the broker's user of one agent may do: permissions, topic permissions, limits and tags. Pure.

Permissions are regular expressions over names, so they are right in advance: a lane that is opened later, and
that the agent may serve, matches already. A user of an agent is known by its tags, which also say what was
granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from coordinator.errors import InvalidRequest
from coordinator.protocol.id_limits import AGENT_WORDS, check_id, check_path_id
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.topology import EVENTS, OUTPUT

__all__ = ["AGENT_TAG", "CONTROL_POLICY", "MAX_CONNECTIONS", "AgentGrant", "control_policy"]

AGENT_TAG = "agent-coordinator-agent"
"""Of each user that was made for an agent; it grants nothing."""

MAX_CONNECTIONS = 4
"""An agent has two. A third and a fourth are for a process that is started while the last one ends."""

CHANNELS_BESIDE_SLOTS = 8
"""Of each connection, beside one for each slot."""

USUAL_SLOTS = 24

LONGEST_TAG = 255
"""Characters that RabbitMQ takes."""

NOTHING = "^$"

CONTROL_POLICY = "agent-coordinator-control-queues"

_WORD = "[A-Za-z0-9_-]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGrant:
    """Lists what one agent is granted, and makes rights of it: it may serve lanes that ask for nothing else.

    Raises `InvalidRequest` for an id or a name that no agent can have.
    """

    agent_id: str
    agent_type: str = "worker"
    capabilities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    task_types: tuple[str, ...] = ()
    """The types whose lanes it may serve; () for all types."""
    slots: int = USUAL_SLOTS

    def __post_init__(self) -> None:
        check_path_id(self.agent_id, "agent_id", field="agent_id", words=AGENT_WORDS)
        check_id(self.agent_type, "the type of an agent", field="type")
        for field in ("capabilities", "services", "task_types"):
            names = tuple(sorted(set(getattr(self, field))))
            for name in names:
                check_id(name, f"An entry of {field}", field=field)
            object.__setattr__(self, field, names)
        if self.slots < 1:
            raise InvalidRequest("slots is 1 at least", field="slots")
        if any(len(tag) > LONGEST_TAG for tag in self.tags):
            raise InvalidRequest(
                f"A name has more than {LONGEST_TAG} characters once it is percent-encoded, which is more"
                " than RabbitMQ takes: choose a shorter one",
                field="agent_id",
            )

    @property
    def user(self) -> str:
        """The name of its user: its id as it stands in names on the broker."""
        return encode_word(self.agent_id)

    # --- what it may do -----------------------------------------------------------------------

    @property
    def permissions(self) -> Mapping[str, str]:
        """It declares nothing, publishes events and output, and reads its control queues and its lanes."""
        queues = rf"agent\.{self.user}\.control\..*|tasks\.{self._lanes}(:long)?\.[a-z]+"
        return {
            "configure": NOTHING,
            "write": f"^({re.escape(EVENTS)}|{re.escape(OUTPUT)})$",
            "read": f"^({queues})$",
        }

    @property
    def topic_permissions(self) -> tuple[Mapping[str, str], ...]:
        """It speaks for itself alone: one permission for each exchange that it may publish to."""
        events = rf"^(task|agent)\.{self.user}\.[a-z-]+$"
        return (
            {"exchange": EVENTS, "write": events, "read": NOTHING},
            {"exchange": OUTPUT, "write": rf"^task\.{self.user}\.output$", "read": NOTHING},
        )

    @property
    def limits(self) -> Mapping[str, int]:
        """Of the user: connections, and channels of all of them."""
        channels = self.slots + CHANNELS_BESIDE_SLOTS
        return {"max-connections": MAX_CONNECTIONS, "max-channels": channels}

    @property
    def _lanes(self) -> str:
        """Each lane is `any`, or names in a row what it asks for: all of it has to be granted."""
        own = [f"agent:{self.user}", f"type:{encode_word(self.agent_type)}"]
        own.append(f"task:{_one_of(self.task_types) if self.task_types else _WORD}")
        own += [f"cap:{_one_of(self.capabilities)}"] if self.capabilities else []
        own += [f"svc:{_one_of(self.services)}"] if self.services else []
        part = f"({'|'.join(own)})"
        return rf"(any|{part}(\+{part})*)"

    # --- how it is known ----------------------------------------------------------------------

    @property
    def tags(self) -> tuple[str, ...]:
        """Of the user: that it is an agent's, and what was granted."""
        named = (
            ("id", (self.agent_id,)),
            ("type", (self.agent_type,)),
            ("cap", self.capabilities),
            ("svc", self.services),
            ("task", self.task_types),
            ("slots", (str(self.slots),)),
        )
        return (AGENT_TAG, *(f"{what}:{_quoted(one)}" for what, names in named for one in names))

    @classmethod
    def of_tags(cls, tags: Iterable[str]) -> Self | None:
        """What was granted to a user with these tags; None for a user that is no agent's."""
        told: dict[str, list[str]] = {}
        kept = set(tags)
        if AGENT_TAG not in kept:
            return None
        for tag in kept - {AGENT_TAG}:
            what, _, name = tag.partition(":")
            told.setdefault(what, []).append(unquote(name))
        try:
            return cls(
                agent_id=told["id"][0],
                agent_type=told["type"][0],
                capabilities=tuple(told.get("cap", ())),
                services=tuple(told.get("svc", ())),
                task_types=tuple(told.get("task", ())),
                slots=int(told["slots"][0]),
            )
        except (LookupError, ValueError, InvalidRequest):
            return None


def control_policy() -> Mapping[str, object]:
    """The policy that bounds control queues, those that agents of before declare themselves included."""
    return {
        "pattern": r"^agent\.[^.]+\.control\.",
        "apply-to": "queues",
        "priority": 0,
        "definition": {"max-length": 1000, "max-length-bytes": 16 * 1024 * 1024, "expires": 60_000},
    }


def _one_of(names: Iterable[str]) -> str:
    return f"({'|'.join(encode_word(name) for name in names)})"


def _quoted(name: str) -> str:
    """Without commas, which divide tags, nor anything else that some version may not take."""
    return quote(name, safe="")
