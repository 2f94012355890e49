"""Declares all exchanges, queues and bindings on the broker: names, kinds, arguments. Nobody else knows them.

Arguments here are structure and never settings: a queue declared again with other arguments is
refused (PRECONDITION_FAILED). What may be tuned is a policy (`deploy/rabbitmq/`). Every quorum
queue has an explicit delivery limit, because RabbitMQ 4 drops a message after 20 returns otherwise.

    coordinator.tasks ──#──▶ coordinator.work ──<lane>.<priority>──▶ tasks.<lane>.<priority>
            │                      └─(nothing bound)─▶ coordinator.unrouted
            └──#──▶ coordinator.log ◀── task.#, source.#, agent.*.<durable> ── coordinator.events
                                        ledger.*.marked                        │ agent.#, source.#
                                                                  live.<process> ◀┘ ledger.*.caught-up,
                                                                    ledger.*.ended, ledger.*.hindered,
                                                                    live.*.marked
    coordinator.output ──#──▶ output.<process>

Tasks that are submitted together go to `coordinator.log` in one message, past the exchanges, and each to
`coordinator.work` alone. A nack of it is taken as its queue's: nobody else is to bind a queue there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from coordinator.protocol.messages.agent_requests.follow_up import SUBMIT_TASK
from coordinator.protocol.messages.events import (
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    EventData,
    LedgerCaughtUp,
    LedgerEnded,
    LedgerFollowed,
    LedgerGrew,
    LedgerHindered,
    LedgerMarked,
    LiveMarked,
)
from coordinator.protocol.messages.registration import REGISTER

from .name_encoding import DEAD_LETTER_KEY
from .task_queue import TaskQueue

__all__ = [
    "CONTROL",
    "DELIVERY_LIMIT",
    "EVENTS",
    "LEDGER",
    "LIVE_BINDINGS",
    "LOG",
    "MOVING",
    "OUTPUT",
    "RECONCILING",
    "REQUESTS",
    "RETIRING",
    "TASKS",
    "TOPOLOGY",
    "UNROUTED",
    "WORK",
    "BindingSpec",
    "ExchangeSpec",
    "QueueSpec",
    "Topology",
    "control_queue_topology",
    "ledger_claim",
    "live_queue",
    "lock_queue",
    "output_topology",
    "task_queue_topology",
    "wake_queue_spec",
]

TASKS = "coordinator.tasks"
"""Topic exchange: every task, with the key `<lane>.<priority>`."""
WORK = "coordinator.work"
"""Topic exchange: the bindings of the lanes."""
UNROUTED = "coordinator.unrouted"
"""Fanout exchange and queue: a task whose queue was missing."""
EVENTS = "coordinator.events"
"""Topic exchange: every event."""
LOG = "coordinator.log"
"""Quorum queue with a single active consumer: every task and event in one order, but for
heartbeats. Tasks that are submitted together are one message of the type `tasks`: a JSON array of them."""
CONTROL = "coordinator.control"
"""Topic exchange: commands to agents."""
OUTPUT = "coordinator.output"
"""Topic exchange: partial output of tasks, with the key `task.<agent>.output`. It is no part of the log, and
no message is durable."""
REQUESTS = "coordinator.requests"
"""Quorum queue: agents' requests to the coordinator, by `coordinator.events` with the key
`agent.<agent>.register` or `agent.<agent>.submit-task`; those of agents of before come by the default
exchange."""

DELIVERY_LIMIT = 20
"""Returns of a task's message before the broker dead-letters it. A task's own limit is
`max_attempts`, which agents check before they start; this is the net under it."""

LOG_DELIVERY_LIMIT = 1_000_000
"""The log's messages are returned whenever a projector stops; none may ever be dropped for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSpec:
    name: str
    kind: Literal["topic", "fanout"]
    arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSpec:
    """Durable unless it is ``exclusive``, which is gone with its connection. One with ``auto_delete`` is gone
    with its last consumer.
    """

    name: str
    exclusive: bool = False
    auto_delete: bool = False
    arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingSpec:
    """``target`` receives what ``exchange`` gets with a key that matches."""

    exchange: str
    target: str
    key: str
    to_exchange: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    exchanges: tuple[ExchangeSpec, ...] = ()
    queues: tuple[QueueSpec, ...] = ()
    bindings: tuple[BindingSpec, ...] = ()


def _quorum(delivery_limit: int, **more: Any) -> Mapping[str, Any]:
    return MappingProxyType(
        {"x-queue-type": "quorum", "x-delivery-limit": delivery_limit}
        | {name.replace("_", "-"): value for name, value in more.items()}
    )


def _of_anyone(event: type[EventData]) -> str:
    """The binding key of one type of event, whoever states it."""
    noun, what = event.TYPE.split(".", 1)
    return f"{noun}.*.{what}"


_DURABLE_AGENT_EVENTS = (AgentRegistered, AgentStatusChanged, AgentStopped, AgentRemoved)

LEDGER = "coordinator.ledger"
"""Fanout exchange, to which nobody publishes: its argument names the ledger that the broker belongs to."""


def ledger_claim(ledger_id: str) -> Topology:
    """States on the broker whose it is. Declared again for another ledger it is refused, since
    RabbitMQ compares this one argument of an exchange. It is as durable as the queues are.
    """
    stated = MappingProxyType({"alternate-exchange": f"{LEDGER}.{ledger_id}"})
    return Topology(exchanges=(ExchangeSpec(name=LEDGER, kind="fanout", arguments=stated),))


TOPOLOGY = Topology(
    exchanges=(
        ExchangeSpec(name=UNROUTED, kind="fanout"),
        ExchangeSpec(
            name=WORK, kind="topic", arguments=MappingProxyType({"alternate-exchange": UNROUTED})
        ),
        ExchangeSpec(name=TASKS, kind="topic"),
        ExchangeSpec(name=EVENTS, kind="topic"),
        ExchangeSpec(name=CONTROL, kind="topic"),
        ExchangeSpec(name=OUTPUT, kind="topic"),
    ),
    queues=(
        QueueSpec(name=LOG, arguments=_quorum(LOG_DELIVERY_LIMIT, x_single_active_consumer=True)),
        QueueSpec(name=UNROUTED, arguments=_quorum(LOG_DELIVERY_LIMIT)),
        QueueSpec(name=REQUESTS, arguments=_quorum(DELIVERY_LIMIT)),
    ),
    bindings=(
        BindingSpec(exchange=TASKS, target=WORK, key="#", to_exchange=True),
        BindingSpec(exchange=TASKS, target=LOG, key="#"),
        BindingSpec(exchange=UNROUTED, target=UNROUTED, key=""),
        BindingSpec(exchange=EVENTS, target=LOG, key="task.#"),
        BindingSpec(exchange=EVENTS, target=LOG, key="source.#"),
        BindingSpec(exchange=EVENTS, target=REQUESTS, key=f"agent.*.{REGISTER}"),
        BindingSpec(exchange=EVENTS, target=REQUESTS, key=f"agent.*.{SUBMIT_TASK}"),
        *(
            BindingSpec(exchange=EVENTS, target=LOG, key=_of_anyone(event))
            for event in (*_DURABLE_AGENT_EVENTS, LedgerMarked)
        ),
    ),
)
"""What must exist before anything works; declared by the coordinator when it connects."""

LIVE_BINDINGS = (
    "agent.#",
    "source.#",
    _of_anyone(LedgerCaughtUp),
    _of_anyone(LedgerEnded),
    _of_anyone(LedgerFollowed),
    _of_anyone(LedgerGrew),
    _of_anyone(LedgerHindered),
    _of_anyone(LiveMarked),
)
"""What a coordinator process hears directly, heartbeats included, without waiting for the ledger."""


def live_queue(process: str) -> QueueSpec:
    """A coordinator process's own copy of what agents say."""
    return QueueSpec(name=f"live.{process}", exclusive=True)


OUTPUT_WAITING = 10_000
OUTPUT_WAITING_BYTES = 32 * 1024 * 1024
"""Messages, and their bytes, of output that a coordinator process has not taken yet. Beyond it the oldest are
dropped, which shows by the numbers of their chunks."""


def output_topology(process: str) -> Topology:
    """A coordinator process's own copy of the partial output of all tasks, as long as it reads it."""
    queue = QueueSpec(
        name=f"output.{process}",
        exclusive=True,
        arguments=MappingProxyType(
            {
                "x-queue-type": "classic",
                "x-max-length": OUTPUT_WAITING,
                "x-max-length-bytes": OUTPUT_WAITING_BYTES,
                "x-overflow": "drop-head",
            }
        ),
    )
    return Topology(
        exchanges=tuple(one for one in TOPOLOGY.exchanges if one.name == OUTPUT),
        queues=(queue,),
        bindings=(BindingSpec(exchange=OUTPUT, target=queue.name, key="#"),),
    )


RETIRING = "retiring"
"""The lock of the coordinator that retires queues."""

MOVING = "moving"
"""The lock of the coordinator that moves tasks to the lane of their type."""

RECONCILING = "reconciling"
"""The lock of the coordinator that looks for tasks which are missing from their queue, or which run
and nobody runs them."""


def lock_queue(name: str) -> QueueSpec:
    """Held by one connection at a time; nothing is ever in it."""
    return QueueSpec(name=f"lock.{name}", exclusive=True)


CALL_LIFETIME = 1000
"""Milliseconds for which a call waits for an agent that is about to sleep. After that it would wake one for
nothing."""

MAX_CALLS = 100
"""Calls that wait in one wake queue: none does while an agent sleeps."""

UNUSED_FOR = 24 * 3600 * 1000
"""Milliseconds after which a wake queue is gone that no agent has consumed."""


def wake_queue_spec(name: str) -> QueueSpec:
    """Sleeping agents of one kind wait here to be woken.

    `wake_call.wake_queue` names it. Durable, since a queue that is neither durable nor exclusive is refused
    by RabbitMQ 4.3 where an operator so wishes; classic, since what is in it is worth nothing after a second.
    """
    return QueueSpec(
        name=name,
        arguments=MappingProxyType(
            {
                "x-queue-type": "classic",
                "x-message-ttl": CALL_LIFETIME,
                "x-max-length": MAX_CALLS,
                "x-expires": UNUSED_FOR,
            }
        ),
    )


NOBODY_LISTENS_FOR = 60 * 1000
"""Milliseconds after which a control queue is gone that no agent consumes."""

MAX_COMMANDS = 1000
MAX_COMMAND_BYTES = 16 * 1024 * 1024
"""Of what waits in one control queue; beyond it the oldest are dropped. An agent that hears takes each at
once."""


def control_queue_topology(name: str, *, keys: Iterable[str]) -> Topology:
    """The control queue of one connection of an agent, as a coordinator declares it, with its bindings.

    `registration.control_queue` names it. Not exclusive, since it is the connection of another that
    declares it; durable and classic as wake queues are. It is gone with its consumer, as an exclusive one,
    so that whoever sends a command learns from the broker whether the agent is there.
    """
    queue = QueueSpec(
        name=name,
        auto_delete=True,
        arguments=MappingProxyType(
            {
                "x-queue-type": "classic",
                "x-max-length": MAX_COMMANDS,
                "x-max-length-bytes": MAX_COMMAND_BYTES,
                "x-expires": NOBODY_LISTENS_FOR,
            }
        ),
    )
    bindings = tuple(BindingSpec(exchange=CONTROL, target=name, key=key) for key in keys)
    return Topology(queues=(queue,), bindings=bindings)


def task_queue_topology(source: TaskQueue) -> Topology:
    """One queue of tasks with its binding.

    A message that is rejected, expires or reaches the delivery limit goes to the log, at least
    once: that needs `reject-publish`, but there is no length limit, so nothing is ever refused.
    """
    return Topology(
        queues=(
            QueueSpec(
                name=source.queue,
                arguments=_quorum(
                    DELIVERY_LIMIT,
                    x_overflow="reject-publish",
                    x_dead_letter_exchange=EVENTS,
                    x_dead_letter_routing_key=DEAD_LETTER_KEY,
                    x_dead_letter_strategy="at-least-once",
                    x_queue_leader_locator="balanced",
                ),
            ),
        ),
        bindings=(BindingSpec(exchange=WORK, target=source.queue, key=source.key),),
    )
