"""Reads this process's own live queue: what agents say, heartbeats included, and what the ledger has done.

The queue is opened first, then the ledger is read, then what the queue has is applied, and the
ledger is read once more when it has caught up: so nothing falls between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.broker_identities import ANYBODY, BrokerIdentities
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import ChannelLost, LedgerUnavailable, Unavailable, Unreadable
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.event_codec.event_reading import Refused, read
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentRegistered,
    Event,
    LedgerCaughtUp,
    LedgerEnded,
    LedgerFollowed,
    LedgerGrew,
    LedgerHindered,
    LiveMarked,
    SourceOpened,
    SourceRetired,
)
from coordinator.protocol.messages.registration import request_author
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import EVENTS, LIVE_BINDINGS, BindingSpec, Topology, live_queue
from coordinator.registry.projection.log_folding_watch import LogFoldingWatch
from coordinator.registry.projection.message_origin import check_origin
from coordinator.registry.projection.read_barrier import ReadBarrier
from coordinator.registry.projection.task_end_waiters import TaskEndWaiters
from coordinator.registry.tables.task_queue_rows import opened_task_queue

from .agent_snapshots import AgentSnapshots
from .heartbeat_answers import HeartbeatAnswers
from .in_memory.live_agents import LiveAgents

__all__ = ["LedgerWaiters", "LiveQueueReader"]

logger = logging.getLogger(__name__)

COMPLETING_PAUSE = 1.0
"""Seconds before it is asked again whether the ledger has caught up."""

WARNED_KEYS = 10_000
"""Routing keys whose heartbeats were complained of; beyond it all are complained of anew."""

HEARTBEAT = ".heartbeat"
"""How the routing keys of heartbeats end."""

TAKEN_AT_ONCE = 100
"""Messages taken in before other work on the event loop has its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerWaiters:
    """Are told what the ledger has done, whichever process did it."""

    catching_up: ReadBarrier
    """Waits for the ledger to have what was said before."""
    waiters: TaskEndWaiters
    """Wait for the end of a task."""
    group_waiters: TaskEndWaiters
    """Wait for ends of a group's tasks."""
    folding: LogFoldingWatch | None = None
    """Tells how the process that folds the log is, where that is another one."""
    grown: Callable[[], None] = lambda: None
    """Called where the ledger may have grown: it was told, or what was told may have been lost."""
    followed: Callable[[str], None] = lambda _: None
    """Called with the name of a process that wants to be told when the ledger grows."""


class LiveQueueReader:
    """Run `session` with `Connection.keep`; one queue for each session, which nobody else reads."""

    def __init__(
        self,
        *,
        process: str,
        agents: LiveAgents,
        snapshots: AgentSnapshots,
        book: TaskQueues,
        types: AnnouncedTypes,
        corrections: HeartbeatAnswers,
        watching: LedgerWaiters,
        identities: Callable[[], BrokerIdentities] = lambda: ANYBODY,
    ) -> None:
        """``process`` names the queue for operators; ``identities`` are asked for with each event."""
        self._identities = identities
        self._process = process
        self._agents = agents
        self._snapshots = snapshots
        self._book = book
        self._types = types
        self._corrections = corrections
        self._catching_up = watching.catching_up
        self._waiters = watching.waiters
        self._folding = watching.folding
        self._watching = watching
        self._warned: set[str] = set()

    async def session(self, link: Link) -> NoReturn:
        """Open a queue and read it until the link is lost; while it is read, agents are heard. Raises
        `ChannelLost`.
        """
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
        self._agents.start_hearing()
        self._catching_up.start_hearing()
        self._hear_ends([], [])
        self._watching.grown()
        completing = asyncio.create_task(self._complete())
        try:
            await self._take_all(arrived)
        finally:
            self._agents.stop_hearing()
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
            if taken % TAKEN_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _take(self, delivery: Delivery) -> None:
        if request_author(delivery.routing_key) is not None:
            return  # a request, which `registration_answers` answers
        try:
            check_origin(delivery)
        except Unreadable as exc:
            self._ignored(exc, delivery.routing_key)
            return
        for one in read(delivery.message, delivery.routing_key):
            why = one.why if isinstance(one, Refused) else self._refused(one, delivery)
            if why is not None:
                self._ignored(why, delivery.routing_key)

    def _ignored(self, why: Unreadable, routing_key: str) -> None:
        """Durable events reach the log too, where they are parked; a heartbeat is just lost."""
        if not routing_key.endswith(HEARTBEAT) or routing_key in self._warned:
            logger.debug("ignored: %s", why, extra={"routing_key": routing_key})
            return
        if len(self._warned) >= WARNED_KEYS:
            self._warned.clear()
        self._warned.add(routing_key)
        logger.warning(
            "a heartbeat cannot be read and does not count",
            extra={"routing_key": routing_key, "why": str(why)},
        )

    def _refused(self, event: Event, delivery: Delivery) -> Unreadable | None:
        """Apply it; why not, where it cannot be."""
        try:
            self._identities().check(event.data, delivery.message.user_id)
            self._apply(event)
        except Unreadable as exc:
            return exc
        return None

    def _apply(self, event: Event) -> None:
        if isinstance(event.data, SourceOpened):
            self._book.add(*opened_task_queue(event.data))
            return
        if isinstance(event.data, SourceRetired):
            # Heard here alone: here it comes in one order with what was opened again since.
            self._book.discard(TaskQueue(event.data.lane, event.data.priority))
            return
        if not self._hear_of_ledger(event):
            self._hear_of_agent(event)

    def _hear_of_ledger(self, event: Event) -> bool:
        """Whether it is about that."""
        match event.data:
            case LedgerCaughtUp(marks=marks):
                self._catching_up.caught_up(marks)
            case LiveMarked():
                self._catching_up.caught_up([event.id])
            case LedgerEnded(tasks=task_ids, groups=groups):
                self._hear_ends(task_ids, groups)
            case LedgerHindered(problems=problems):
                if self._folding is not None:
                    self._folding.hear(problems)
            case LedgerGrew():
                self._watching.grown()
            case LedgerFollowed(process=process):
                self._watching.followed(process)
            case _:
                return False
        return True

    def _hear_of_agent(self, event: Event) -> None:
        self._agents.apply(event)
        if isinstance(event.data, AgentRegistered):
            self._types.hear(event.data.task_types)
        if isinstance(event.data, AgentHeartbeat) and event.data.instance is not None:
            self._corrections.answer(event.data)

    def _hear_ends(self, task_ids: list[str], groups: list[str]) -> None:
        if task_ids:
            self._waiters.ended(task_ids)
            self._watching.group_waiters.ended(groups)
        else:
            self._waiters.look_again()
            self._watching.group_waiters.look_again()
