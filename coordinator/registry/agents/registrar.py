"""Registers agents, declares their status and removes them: each is a confirmed event, applied here at once.

Over HTTP and over AMQP alike; the event reaches every other process by its live queue, and the
ledger by the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pydantic_core import to_json

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.agent import OF_THE_AGENT
from coordinator.domain.agent_statuses import AgentStatus, check_agent_type, check_status
from coordinator.errors import (
    AgentNotFound,
    InvalidRequest,
    NotOpened,
    PublishRefused,
    TooManyRequests,
)
from coordinator.protocol.id_limits import AGENT_WORDS, check_id, check_path_id
from coordinator.protocol.json_values.json_limits import json_problem
from coordinator.protocol.messages.agent_commands import DrainAgent, agent_key, encode_command
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import (
    OVER_HTTP,
    AgentHeartbeat,
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    Event,
    EventData,
)
from coordinator.protocol.messages.registration import MAX_METADATA, MAX_TASK_TYPES, RegisterRequest
from coordinator.protocol.topology import CONTROL, EVENTS

from .in_memory.known_agent import KnownAgent
from .in_memory.live_agents import LiveAgents

__all__ = ["Registrar"]

MAX_NAMES = 32
"""Capabilities of an agent, or services, or tags."""

MAX_BYTES = 1024 * 1024
"""Of a registration, as JSON."""

LATER = 60.0
"""Seconds after which somebody may have removed an agent."""


class Registrar:
    """Every method raises `BrokerUnavailable` or `OutcomeUnknown` where it was not confirmed."""

    def __init__(
        self,
        *,
        agents: LiveAgents,
        publisher: PublishesMessages,
        hear: Callable[[], Awaitable[None]],
        has_queue: Callable[[str], Awaitable[bool | None]],
        opened: Callable[[], bool],
        extra_agent_types: Iterable[str] = (),
        max_names: int = MAX_NAMES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``hear`` is `ReadBarrier.live`: once it returns, an agent that another coordinator has just
        registered is known; it raises `Unavailable`. ``has_queue`` is `ControlQueueProbe.ask`.
        ``opened`` is `QueueOpener.ready`: what is published before the log is bound is confirmed, and is
        in no record. ``max_names`` is how many capabilities, services or tags an agent may have.
        """
        self._agents = agents
        self._publisher = publisher
        self._hear = hear
        self._has_queue = has_queue
        self._opened = opened
        self._extra_agent_types = tuple(extra_agent_types)
        self._max_names = max_names
        self._now = now
        self._coming: dict[str, Counter[str]] = {}
        """Agents that are being registered over HTTP, by who asks for it."""

    async def register(
        self, request: RegisterRequest, *, via: str | None = None, by: str | None = None
    ) -> datetime:
        """Make the agent known, or replace what it said before; it counts as heard of. ``via`` is
        None where it asked over the broker; ``by`` is who asked over HTTP, where that is known.

        Returns the instant. Raises `InvalidRequest`.
        """
        self._check(request)
        told = request.model_dump() | {"via": via, "registered_by": by}
        return await self._state(AgentRegistered.model_validate(told))

    async def register_over_http(
        self, request: RegisterRequest, *, by: str | None = None, most: int = 0
    ) -> tuple[datetime, bool | None]:
        """As `register`; and whether the agent has a control queue on the broker, without which it
        takes no tasks: None where that cannot be told now. Raises `TooManyRequests` where it would be another
        agent of who asks, and there are ``most`` already, if that is not 0.
        """
        with self._share(request.agent_id, by, most):
            at = await self.register(request, via=OVER_HTTP, by=by)
        return at, await self._has_queue(request.agent_id)

    async def heartbeat(
        self, agent_id: str, *, status: str | None, load_metrics: dict[str, float] | None
    ) -> datetime:
        """A heartbeat of an agent that has no connection to the broker.

        A ``status`` other than the present one is declared. Raises `AgentNotFound`, or
        `InvalidRequest` for an unknown status.
        """
        known = await self._known(agent_id)
        if status is not None and check_status(status) is not known.agent.declared:
            await self.set_status(agent_id, status, None)
        beat = AgentHeartbeat(agent_id=agent_id, load_metrics=load_metrics or {}, via=OVER_HTTP)
        return await self._state(beat, persistent=False)

    async def set_status(
        self, agent_id: str, status: str, load_metrics: dict[str, float] | None
    ) -> datetime:
        """Declare a status. Raises `AgentNotFound`, or `InvalidRequest` for an unknown status."""
        declared = check_status(status)
        known = await self._known(agent_id)
        process = None if declared in OF_THE_AGENT else known.agent.registration.instance
        return await self._state(
            AgentStatusChanged(
                agent_id=agent_id,
                status=declared.value,
                load_metrics=load_metrics,
                instance=process,
            )
        )

    async def drain(self, agent_id: str) -> tuple[datetime, bool]:
        """Have the agent take nothing more, finish what runs, and stop. It is `draining` at once.

        Returns the instant, and whether the agent could be told: one without a connection to the
        broker, or one that speaks HTTP alone, cannot. Raises `AgentNotFound`.
        """
        at = await self.set_status(agent_id, AgentStatus.DRAINING, None)
        try:
            await self._publisher.publish(
                encode_command(DrainAgent()),
                exchange=CONTROL,
                key=agent_key(agent_id),
                mandatory=True,
            )
        except PublishRefused:
            return at, False
        return at, True

    async def remove(
        self, agent_id: str, *, reason: str = "requested", silent: bool = False
    ) -> None:
        """Take the agent out of the registry; where it was ``silent``, unless another process of it
        registers meanwhile. Raises `AgentNotFound`.
        """
        known = await self._known(agent_id)
        process = known.agent.registration.instance if silent else None
        await self._state(AgentRemoved(agent_id=agent_id, reason=reason, instance=process))

    @contextmanager
    def _share(self, agent_id: str, by: str | None, most: int) -> Iterator[None]:
        """The agent counts among those of ``by`` while the block lasts; it is known after it."""
        if not most or by is None:
            yield
            return
        coming = self._coming.setdefault(by, Counter())
        theirs = {known.agent_id for known in self._agents.all() if known.registered_by == by}
        theirs.update(coming)
        if agent_id not in theirs and len(theirs) >= most:
            raise TooManyRequests(
                f"This caller has registered {len(theirs)} agents, as many as it may"
                " (COORDINATOR_MAX_CALLERS_AGENTS): have one removed first",
                retry_after=LATER,
            )
        coming[agent_id] += 1
        try:
            yield
        finally:
            coming[agent_id] -= 1
            if not coming[agent_id]:
                del coming[agent_id]
            if not coming:
                self._coming.pop(by, None)

    def _check(self, request: RegisterRequest) -> None:
        """What every way in must refuse; HTTP has limits of its own before."""
        check_path_id(request.agent_id, "agent_id", field="agent_id", words=AGENT_WORDS)
        check_agent_type(request.agent_type, self._extra_agent_types)
        for field, most in (
            ("capabilities", self._max_names),
            ("services", self._max_names),
            ("tags", self._max_names),
            ("task_types", MAX_TASK_TYPES),
        ):
            names: list[str] = getattr(request, field) or []
            if len(names) > most:
                raise InvalidRequest(
                    f"{field} has {len(names)} entries; at most {most}", field=field
                )
            for name in names:
                check_id(name, f"An entry of {field}", field=field)
        problem = json_problem(request.metadata)
        if problem is not None:
            raise InvalidRequest(f"metadata {problem}", field="metadata")
        size = len(to_json(request.metadata))
        if size > MAX_METADATA:
            raise InvalidRequest(
                f"metadata has {size} bytes as JSON; at most {MAX_METADATA}: keep the rest elsewhere, and"
                " say where",
                field="metadata",
            )
        if len(request.model_dump_json()) > MAX_BYTES:
            raise InvalidRequest(f"The registration has more than {MAX_BYTES} bytes")

    async def _known(self, agent_id: str) -> KnownAgent:
        if agent_id not in self._agents:
            await self._hear()
        known = self._agents.get(agent_id)
        if known is None:
            raise AgentNotFound(agent_id)
        return known

    async def _state(self, data: EventData, *, persistent: bool = True) -> datetime:
        if persistent and not self._opened():
            raise NotOpened
        event = Event(data=data, time=self._now())
        message = encode(event, persistent=persistent)
        await self._publisher.publish(message, exchange=EVENTS, key=routing_key(data))
        self._agents.apply(event)
        return event.time
