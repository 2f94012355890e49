"""This process's own copy of what agents say, heartbeats included.

The queue is opened first, then the ledger is read, then what the queue has is applied, and the
ledger is read once more when it has caught up: so nothing falls between.

Each heartbeat is also where a difference shows: an agent that is not known here is asked to register
again, and one that serves other queues than it should is sent the list.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import ChannelLost, LedgerUnavailable, Unavailable, Unreadable
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.agent_commands import (
    Command,
    DrainAgent,
    RegisterAgain,
    ServeSources,
)
from coordinator.protocol.messages.event_codec import Refused, read
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentRegistered,
    Event,
    LedgerCaughtUp,
    LedgerEnded,
    LiveMarked,
    SourceOpened,
    SourceRetired,
)
from coordinator.protocol.messages.registration import SourceOffer
from coordinator.protocol.requirements import Profile
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import EVENTS, LIVE_BINDINGS, BindingSpec, Topology, live_queue
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.end_waiters import EndWaiters
from coordinator.registry.projection.read_barrier import ReadBarrier
from coordinator.registry.tables.task_queue_rows import opened

from .agent_snapshots import AgentSnapshots

__all__ = ["LedgerWaiters", "LiveQueueReader", "profile_of"]

logger = logging.getLogger(__name__)

COMMAND_PAUSE = 3.0
"""Seconds before an agent that still differs is told again."""

COMPLETING_PAUSE = 1.0
"""Seconds before it is asked again whether the ledger has caught up."""

REMEMBERED_AGENTS = 10_000

HEARTBEAT = ".heartbeat"
"""How the routing keys of heartbeats end."""

BREATH = 100
"""Messages taken in before other work on the event loop has its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerWaiters:
    """Who is told what the ledger has done, whichever process did it."""

    catching_up: ReadBarrier
    waiters: EndWaiters


class LiveQueueReader:
    """Run `session` with `Connection.keep`. ``process`` names the queue for operators."""

    def __init__(
        self,
        *,
        process: str,
        agents: LiveAgents,
        snapshots: AgentSnapshots,
        book: TaskQueues,
        types: AnnouncedTypes,
        commands: CommandSender,
        watching: LedgerWaiters,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = process
        self._agents = agents
        self._snapshots = snapshots
        self._book = book
        self._types = types
        self._commands = commands
        self._catching_up = watching.catching_up
        self._waiters = watching.waiters
        self._monotonic = monotonic
        self._told: dict[str, float] = {}
        self._warned: set[str] = set()

    async def session(self, link: Link) -> NoReturn:
        # A fresh name each time: the old one is locked until the broker notices the old link's end.
        queue = live_queue(f"{self._process}.{new_id()[-6:]}")
        bindings = tuple(
            BindingSpec(exchange=EVENTS, target=queue.name, key=key) for key in LIVE_BINDINGS
        )
        channel = await link.channel()
        await channel.declare(Topology(queues=(queue,), bindings=bindings))
        try:
            await self._snapshots.restore()
        except LedgerUnavailable as exc:
            raise ChannelLost(f"the agents cannot be read from the ledger: {exc}") from exc
        arrived: asyncio.Queue[Delivery | None] = asyncio.Queue()
        await channel.consume(
            queue.name,
            arrived.put_nowait,
            tag=f"live.{new_id()}",
            no_ack=True,
            on_cancelled=lambda: arrived.put_nowait(None),
        )
        lost = asyncio.create_task(channel.closed())
        lost.add_done_callback(lambda _: arrived.put_nowait(None))
        self._agents.listen()
        self._catching_up.listening()
        self._waiters.look_again()
        completing = asyncio.create_task(self._complete())
        try:
            await self._take_all(arrived)
        finally:
            self._agents.stop_listening()
            lost.cancel()
            await cancel_and_wait(completing)
        raise ChannelLost

    async def _complete(self) -> None:
        """Read the ledger again once it has what was said before the queue was opened: it may have
        been in the log still when the ledger was read.
        """
        while True:
            try:
                await self._catching_up.ledger()
                await self._snapshots.restore()
            except Unavailable as exc:
                logger.debug("the agents are not complete yet", extra={"why": str(exc)})
                await asyncio.sleep(COMPLETING_PAUSE)
            else:
                return

    async def _take_all(self, arrived: asyncio.Queue[Delivery | None]) -> None:
        taken = 0
        while (delivery := await arrived.get()) is not None:
            self._take(delivery)
            taken += 1
            if taken % BREATH == 0:
                await asyncio.sleep(0)

    def _take(self, delivery: Delivery) -> None:
        for one in read(delivery.message, delivery.routing_key):
            why = one.why if isinstance(one, Refused) else self._refused(one)
            if why is not None:
                self._ignored(why, delivery.routing_key)

    def _ignored(self, why: Unreadable, routing_key: str) -> None:
        """Durable events reach the log too, where they are parked; a heartbeat is just lost."""
        if not routing_key.endswith(HEARTBEAT) or routing_key in self._warned:
            logger.debug("ignored: %s", why, extra={"routing_key": routing_key})
            return
        if len(self._warned) >= REMEMBERED_AGENTS:
            self._warned.clear()
        self._warned.add(routing_key)
        logger.warning(
            "a heartbeat cannot be read and does not count",
            extra={"routing_key": routing_key, "why": str(why)},
        )

    def _refused(self, event: Event) -> Unreadable | None:
        """Apply it; why not, where it cannot be."""
        try:
            self._apply(event)
        except Unreadable as exc:
            return exc
        return None

    def _apply(self, event: Event) -> None:
        if isinstance(event.data, SourceOpened):
            self._book.add(*opened(event.data))
            return
        if isinstance(event.data, SourceRetired):
            # Heard here alone: here it comes in one order with what was opened again since.
            self._book.discard(TaskQueue(event.data.lane, event.data.priority))
            return
        if isinstance(event.data, LedgerCaughtUp):
            self._catching_up.caught_up(event.data.marks)
            return
        if isinstance(event.data, LedgerEnded):
            self._hear_ends(event.data.tasks)
            return
        if isinstance(event.data, LiveMarked):
            self._catching_up.caught_up([event.id])
            return
        self._agents.apply(event)
        if isinstance(event.data, AgentRegistered):
            self._types.hear(event.data.task_types)
        if isinstance(event.data, AgentHeartbeat) and event.data.instance is not None:
            self._answer(event.data)

    def _hear_ends(self, task_ids: list[str]) -> None:
        if task_ids:
            self._waiters.ended(task_ids)
        else:
            self._waiters.look_again()

    def _answer(self, beat: AgentHeartbeat) -> None:
        command = self._correction(beat)
        if command is None:
            return
        now = self._monotonic()
        if now - self._told.get(beat.agent_id, now - COMMAND_PAUSE) < COMMAND_PAUSE:
            return
        if len(self._told) >= REMEMBERED_AGENTS:
            self._told.clear()
        self._told[beat.agent_id] = now
        self._commands.tell(beat.agent_id, command)

    def _correction(self, beat: AgentHeartbeat) -> Command | None:
        known = self._agents.get(beat.agent_id)
        if known is None:
            return RegisterAgain()
        declared = known.agent.declared
        if known.replaced:
            if declared is AgentStatus.INACTIVE:
                return (
                    RegisterAgain()
                )  # the one that registered last has left, and this one lives on
        elif declared is AgentStatus.DRAINING and beat.status != AgentStatus.DRAINING:
            return DrainAgent()  # it was out of reach when it was told
        if beat.sources_hash is None:
            return None
        profile = profile_of(known.agent.registration)
        if self._book.hash_for(profile) == beat.sources_hash:
            return None
        return ServeSources(
            sources=[
                SourceOffer.of(source, self._book.requirements(source))
                for source in self._book.offered_to(profile)
            ]
        )


def profile_of(registration: AgentRegistered) -> Profile:
    return Profile(
        agent_id=registration.agent_id,
        agent_type=registration.agent_type,
        capabilities=frozenset(registration.capabilities),
        services=frozenset(registration.services),
        # An empty list says no more than none: many clients send one for what was never set.
        task_types=frozenset(registration.task_types) if registration.task_types else None,
    )
