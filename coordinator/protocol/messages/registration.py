"""Defines the requests of an agent to the coordinator, to be registered and to have a control queue opened,
and the answer.

    agent ── coordinator.events, key `agent.<agent>.register` ──▶ coordinator.requests ──▶ a coordinator
          ◀── its control queue, which the coordinator declares ────────────────────────────┘

An agent of before declares its control queue itself, and publishes to the default exchange with the key
`coordinator.requests`: then nothing says whose the request is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue

from .agent_requests.follow_up import SUBMIT_TASK
from .events import AgentRegistered

__all__ = [
    "CONTROL_QUEUE",
    "DIRECT_REPLY",
    "MAX_METADATA",
    "MAX_TASK_TYPES",
    "REGISTER",
    "ControlQueueRequest",
    "RegisterReply",
    "RegisterRequest",
    "SourceOffer",
    "control_queue",
    "is_control_queue",
    "may_be_opened",
    "reply_allowed",
    "reply_queue",
    "request_author",
    "request_key",
    "sources_hash",
]

MAX_TASK_TYPES = 256
"""Types of tasks that one agent may announce."""

MAX_METADATA = 16 * 1024
"""Bytes of an agent's metadata as JSON: each list of agents has them all."""

REGISTER = "register"
"""The AMQP `type` of a registration request."""

CONTROL_QUEUE = "control-queue"
"""The AMQP `type` of a request to declare the control queue that `reply_to` names, and to bind it again. It
is not answered: the queue is there."""

DIRECT_REPLY = "amq.rabbitmq.reply-to"
"""RabbitMQ's direct reply-to: a reply without a queue of one's own."""


class RegisterRequest(AgentRegistered):
    """The same facts as the event that it becomes when it is accepted."""


class SourceOffer(BaseModel):
    """A queue to take tasks from."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    lane: str
    priority: Priority
    queue: str
    requirements: dict[str, Any] | None = None
    """What its tasks ask of an agent; None where the coordinator is of a version that does not say."""

    @classmethod
    def of(cls, source: TaskQueue, requirements: Requirements | None = None) -> SourceOffer:
        return cls(
            lane=source.lane,
            priority=source.priority,
            queue=source.queue,
            requirements=None if requirements is None else requirements.as_dict(),
        )

    def suits(self, profile: Profile) -> bool:
        """Whether an agent of this profile may do its tasks, as far as is said."""
        return self.requirements is None or profile.satisfies(
            Requirements.from_dict(self.requirements)
        )

    @property
    def source(self) -> TaskQueue:
        return TaskQueue(self.lane, self.priority)


class RegisterReply(BaseModel):
    """``error`` is None and the rest is filled, or ``error`` says why not."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    error: str | None = None
    registered_at: str | None = None
    coordinator_time: AwareDatetime | None = None
    """When the coordinator wrote this, by the clock that deadlines are told by."""
    sources: list[SourceOffer] = Field(default_factory=list)
    heartbeat_seconds: float = 10.0
    """How often the coordinator wants to hear of the agent."""
    stale_after_seconds: float = 60.0
    default_timeout_seconds: float = 3600.0
    """For tasks that name no `timeout_seconds`."""
    wake_queue: str | None = None
    """Where the agent may wait to be woken while it has nothing to do: `wake_call.wake_queue`. None where
    there is none now: then it looks for work by itself."""
    wake_queues: int = Field(default=1, ge=1)
    """How many such queues there are: all agents together look for work so often, however many they are."""

    def to_json(self) -> bytes:
        """A refusal is its `error` alone."""
        said = None if self.error is None else {"error"}
        return self.model_dump_json(exclude_none=True, include=said).encode()


class ControlQueueRequest(BaseModel):
    """Whose control queue it is. A request to be registered says as much, and opens it, too."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    agent_id: str


def request_key(agent_id: str) -> str:
    """The routing key of an agent's requests on `coordinator.events`: a permission for topics lets nobody
    else use it.
    """
    return f"agent.{encode_word(agent_id)}.{REGISTER}"


def request_author(key: str) -> str | None:
    """The agent's word in the routing key of a request; None where it is no such key."""
    found = _REQUEST_KEY.fullmatch(key)
    return None if found is None else found[1]


_REQUEST_KEY = re.compile(rf"agent\.([^.]+)\.({REGISTER}|{SUBMIT_TASK})")


def control_queue(agent_id: str, instance: str) -> str:
    """The queue of one connection of an agent; the name is fresh each time, because one that was used
    before may be locked, or still be consumed, until the broker notices that the old connection is gone.
    """
    return f"agent.{encode_word(agent_id)}.control.{instance}"


def may_be_opened(word: str, queue: str) -> bool:
    """Whether ``queue`` is one that a coordinator declares for the agent that is called ``word`` on the
    broker.
    """
    prefix = f"agent.{word}.control."
    if not word or not queue.startswith(prefix):
        return False
    return _OWN_PART.fullmatch(queue, len(prefix)) is not None


_OWN_PART = re.compile(r"[A-Za-z0-9_-]{1,100}")


def is_control_queue(name: str | None) -> bool:
    """Whether an agent listens there, or somebody by direct reply-to."""
    return name is not None and (
        name.startswith(f"{DIRECT_REPLY}.") or _CONTROL_QUEUE.fullmatch(name) is not None
    )


_CONTROL_QUEUE = re.compile(r"agent\.[^.]+\.control\..+")


def reply_queue(reply_to: str | None) -> str | None:
    """The queue that a request names, by its name or by its address of AMQP 1.0: RabbitMQ 4.3
    makes the name of it, and 4.0 does not.
    """
    if reply_to is None or not reply_to.startswith(_ADDRESS):
        return reply_to
    return unquote(reply_to.removeprefix(_ADDRESS))


_ADDRESS = "/queues/"


def reply_allowed(agent_id: str, reply_to: str | None) -> bool:
    """Replies go only to the sender's own control queue or to direct reply-to, never to any queue
    that a request happens to name.
    """
    return reply_to is not None and (
        reply_to.startswith((f"{DIRECT_REPLY}.", f"agent.{encode_word(agent_id)}.control."))
    )


def sources_hash(sources: Iterable[TaskQueue]) -> str:
    """The same for the same set of queues, in any order."""
    text = "\n".join(sorted(source.queue for source in sources))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
