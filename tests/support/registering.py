"""The registering half of a coordinator on a real broker, without HTTP and without submission."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Publisher
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import Unavailable
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_requests.follow_up import FollowUpReply
from coordinator.protocol.messages.event_codec.event_encoding import (
    encode,
    encode_batch,
    routing_key,
)
from coordinator.protocol.messages.events import Event, EventData
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import EVENTS, TASKS, TOPOLOGY, task_queue_topology
from coordinator.protocol.trace_context import TraceContext
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.agents.control_queue_probe import ControlQueueProbe
from coordinator.registry.agents.heartbeat_answers import HeartbeatAnswers
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.agents.live_queue_reader import LedgerWaiters, LiveQueueReader
from coordinator.registry.agents.registrar import Registrar
from coordinator.registry.agents.registration_answers import RegistrationAnswers, RegistrationTerms
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.interceptors.parked_messages_log import ParkedMessagesLog
from coordinator.registry.projection.log_decoder import LogDecoder
from coordinator.registry.projection.projector import (
    BESIDE,
    FoldPace,
    ProjectionListeners,
    Projector,
)
from coordinator.registry.projection.projector_fence import ProjectorFence
from coordinator.registry.projection.read_barrier import ReadBarrier
from coordinator.registry.projection.task_end_broadcast import TaskEndBroadcast
from coordinator.registry.queries.registry import Registry

__all__ = ["RegisteringSide", "registering_side"]

SOURCE = TaskQueue("any", Priority.NORMAL)
SECRET = b"a secret of the tests"
PATIENCE = timedelta(seconds=25)
"""With which a look waits for the log: longer than a service does, for machines that are busy, and
less than a mark lasts, so that one that is lost is seen."""
USUAL = RegistrationTerms()


async def _nobody_submits(_body: bytes, _trace: TraceContext | None) -> FollowUpReply:
    raise Unavailable("nothing submits here")


class RegisteringSide:
    """What a coordinator process has for registering."""

    def __init__(
        self,
        *,
        name: str,
        ledger: Ledger,
        connection: Connection,
        publisher: Publisher,
        patience: timedelta = PATIENCE,
        terms: RegistrationTerms = USUAL,
        pace: FoldPace = BESIDE,
    ) -> None:
        self.connection = connection
        self.publisher = publisher
        self.ledger = ledger
        self.book = TaskQueues()
        self.agents = LiveAgents(stale_after=timedelta(seconds=60))
        self.catching_up = ReadBarrier(publisher, patience=patience)
        self.registry = Registry(
            ledger=ledger,
            agents=self.agents,
            book=self.book,
            catch_up=self.catching_up.ledger,
            hear=self.catching_up.live,
        )
        self.commands = CommandSender(publisher)
        self.endings = TaskEndBroadcast(publisher)
        self.probe = ControlQueueProbe(
            agents=self.agents, publisher=publisher, ready=lambda: publisher.available
        )
        self.registrar = Registrar(
            agents=self.agents,
            publisher=publisher,
            hear=self.catching_up.live,
            has_queue=self.probe.ask,
            opened=lambda: True,
        )
        self.snapshots = AgentSnapshots(
            ledger=ledger, agents=self.agents, catch_up=self.catching_up.ledger
        )
        self.folded: list[Event] = []
        self.parked_log = ParkedMessagesLog()
        self.projector = Projector(
            fence=ProjectorFence(ledger),
            reader=LogDecoder(secret=SECRET, skew_of=self.agents.skew_of),
            commands=self.commands,
            told=ProjectionListeners(folded=self._folded, marked=self.catching_up.marked),
            pace=pace,
            interceptors=[self.parked_log],
        )
        self.live_reader = LiveQueueReader(
            process=name,
            agents=self.agents,
            snapshots=self.snapshots,
            book=self.book,
            types=AnnouncedTypes(),
            corrections=HeartbeatAnswers(
                agents=self.agents, book=self.book, commands=self.commands
            ),
            watching=LedgerWaiters(
                catching_up=self.catching_up,
                waiters=self.registry.waiters,
                group_waiters=self.registry.group_waiters,
            ),
        )
        self.requests = RegistrationAnswers(
            registrar=self.registrar,
            book=self.book,
            publisher=publisher,
            terms=terms,
            follow_ups=_nobody_submits,
        )
        self._running: dict[str, asyncio.Task[object]] = {}

    def _folded(self, events: Any) -> None:
        self.folded.extend(events)
        self.registry.folded(events)
        self.endings.folded(events)

    # --- sessions -----------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Of `projector`, `live_reader` and `requests`; all of them where none is named."""
        for name in names or ("projector", "live_reader", "requests"):
            session: Callable[[Link], Coroutine[Any, Any, object]] = getattr(self, name).session
            self._running[name] = asyncio.create_task(self.connection.keep(session))

    async def stop(self, *names: str) -> None:
        """End them as a kill would, wherever they are."""
        for name in names or tuple(self._running):
            task = self._running.pop(name)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def hearing(self) -> bool:
        return self.agents.hearing

    # --- what producers and agents do -----------------------------------------------------------

    async def submit(self, task_id: str, **fields: Any) -> TaskMessage:
        """As a submission: confirmed, then noted."""
        given: dict[str, Any] = {
            "task_id": task_id,
            "task_data": {"n": 1},
            "priority": Priority.NORMAL,
            "submitted_at": datetime.now(UTC),
            "task_token": task_token(SECRET, task_id, 1, 1),
        }
        task = TaskMessage(**(given | fields))
        await self.publisher.publish(task.to_message(), exchange=TASKS, key=SOURCE.key)
        self.registry.note_submitted(task)
        return task

    async def say(self, *data: EventData, persistent: bool = True) -> list[Event]:
        """As agents do, each on a message of its own."""
        events = [Event(data=one) for one in data]
        for event in events:
            await self.repeat(event, persistent=persistent)
        return events

    async def repeat(self, event: Event, *, persistent: bool = True) -> None:
        message = encode(event, persistent=persistent)
        await self.publish(message, routing_key(event.data))

    async def say_together(self, *data: EventData) -> None:
        """As a busy agent does, all in one message."""
        key, message = encode_batch([Event(data=one) for one in data])
        await self.publish(message, key)

    async def publish(self, message: Message, key: str) -> None:
        await self.publisher.publish(message, exchange=EVENTS, key=key)


@asynccontextmanager
async def registering_side(
    url: str,
    *,
    name: str,
    ledger_url: str,
    patience: timedelta = PATIENCE,
    terms: RegistrationTerms = USUAL,
    timeouts: DatabaseTimeouts = DatabaseTimeouts(),  # noqa: B008 - frozen
    pace: FoldPace = BESIDE,
) -> AsyncIterator[RegisteringSide]:
    async with (
        Ledger(ledger_url, timeouts=timeouts) as ledger,
        Connection(url, name=name) as connection,
        Connection(url, name=f"{name} publish") as publishing,
        Publisher(publishing) as publisher,
    ):
        side = RegisteringSide(
            name=name,
            ledger=ledger,
            connection=connection,
            publisher=publisher,
            patience=patience,
            terms=terms,
            pace=pace,
        )
        channel = await (await connection.opened_or_refused()).channel()
        await channel.declare(TOPOLOGY)
        await channel.declare(task_queue_topology(SOURCE))
        await channel.close()
        await publisher.ready()
        try:
            yield side
        finally:
            await side.stop()
            await side.commands.told()
            await side.endings.told()
