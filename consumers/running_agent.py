"""One running agent: what is connected to what, and how it stops.

connection "agent <id> events" ── Publisher ◀── EventOutbox ◀─────────┐
                                       ▲ ◀── Heartbeat           │
                                       └ ◀── Registration        │
connection "agent <id>" ── ControlQueue ──▶ commands ──▶ ServedQueues      │
                      └─── FetchLoop ──▶ TaskExecutor ── handlers ─────┘
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, NoReturn, Self

from consumers._fetching.fetch_loop import FetchLoop
from consumers._fetching.served_queues import ServedQueues
from consumers._handling.asyncio_task_factory import tasks_contained
from consumers._link.control_queue import ControlQueue
from consumers._link.heartbeat import Heartbeat
from consumers._link.registration import Registration, ReplyCache
from consumers._working.attempt import Attempt
from consumers._working.event_outbox import EventOutbox
from consumers._working.task_executor import TaskExecutor
from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Publisher
from coordinator.errors import ConnectionLost, InvalidRequest, OperatorError, Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.agent_commands import (
    CancelTask,
    Command,
    DrainAgent,
    LeaveSource,
    RegisterAgain,
    ServeSource,
    ServeSources,
)
from coordinator.protocol.messages.event_codec import encode, routing_key
from coordinator.protocol.messages.events import AgentStopped, Event
from coordinator.protocol.messages.registration import RegisterReply, SourceOffer
from coordinator.protocol.reference_clock import ReferenceClock
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import EVENTS

from .agent_options import AgentOptions
from .handler_table import HandlerTable

__all__ = ["RunningAgent"]

logger = logging.getLogger(__name__)

STUCK_AFTER = 30.0
"""Seconds without a turn of the taking loop after which the agent calls itself degraded."""

LET_GO_AFTER = 1.0
"""Seconds between two looks at what was lost with its channel."""

CLOCK_EVERY = 10.0
"""Seconds between two looks at whether the machine's clock was set."""

LAST_WORDS = timedelta(seconds=10)
"""How long a stopping agent tries to get its last outcomes, and its goodbye, to the broker."""


class RunningAgent:
    """An agent at work, from `async with` on. Leaving it drains; leaving it by an exception hurries.

    Entering raises `BrokerRefused`, or `InvalidRequest` for an agent without handlers; leaving what else
    ended it, such as `RegistrationRefused`.
    """

    def __init__(
        self, options: AgentOptions, handlers: HandlerTable, *, rng: random.Random | None = None
    ) -> None:
        self.options = options
        self.instance = new_id()
        """Which process of the agent this is; told in its heartbeats."""
        self._rng = rng or random.Random()
        loop = asyncio.get_running_loop()
        url, name = options.broker_url(), f"agent {options.agent_id}"
        self._connection = Connection(url, name=name)
        self._events = Connection(url, name=f"{name} events")
        self._publisher = Publisher(self._events)
        self._outbox: EventOutbox[Attempt] = EventOutbox(self._publisher)
        self._clock = ReferenceClock()
        self._executor = TaskExecutor(
            options,
            handlers,
            instance=self.instance,
            outbox=self._outbox,
            now=self._clock.now,
        )
        self._sources = ServedQueues(loop.time)
        self._control = ControlQueue(options.agent_id, on_command=self._obey)
        self._handlers = handlers
        self._cache = ReplyCache(options.cache_folder(), options.profile(), amqp_url=url)
        self._registration = Registration(
            lambda: options.request(self.instance, handlers.announced),
            publisher=self._publisher,
            control=self._control,
            clock=self._clock,
            on_reply=self._registered,
        )
        self._heartbeat = Heartbeat(
            self._publisher,
            self._executor,
            self._sources,
            agent_id=options.agent_id,
            instance=self.instance,
            condition=self._condition,
            problems=self._connection.heads.problems,
        )
        self._control.on_ready = self._hears
        self._outbox.on_held_up = self._heartbeat.beat_soon
        self._sources.on_change = self._sources_changed
        self._taking: FetchLoop | None = None
        self._taking_ended: asyncio.Task[None] | None = None
        self._draining = asyncio.Event()
        self._sources_known = self._told_at_work = self._entered = False
        self._tasks: list[asyncio.Task[object]] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if not self._handlers.announced:
            raise InvalidRequest(
                'This agent has no handler: write @agent.task("the type") or @agent.default above a'
                " function"
            )
        if self._entered:
            raise RuntimeError("A running agent is entered once: call agent.running() for another")
        self._entered = True
        self._open.enter_context(tasks_contained(asyncio.get_running_loop()))
        await self._open.enter_async_context(self._events)
        await self._open.enter_async_context(self._connection)
        await self._open.enter_async_context(self._publisher)
        await self._connection.attempted()
        if isinstance(self._connection.last_error, OperatorError):
            error = self._connection.last_error
            await self._open.aclose()
            raise error
        cached = self._cache.load()
        if cached is not None:
            logger.info(
                "starting with the cached registration", extra={"path": str(self._cache.path)}
            )
            self._apply(cached)
        for part in (
            self._connection.keep(self._session),
            self._registration.run(),
            self._outbox.run(),
            self._heartbeat.run(),
            self._watch_clock(),
        ):
            self._spawn(part)
        if self.options.on_lost_connection == "cancel":
            self._spawn(self._let_go())
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        failure = self._failure()
        try:
            if exc_type is not None:
                self.hurry()
            if failure is None:
                self.drain()
                await self._wind_down()
        finally:
            await _end(self._tasks)
            self._executor.close()
            await self._open.aclose()
        if failure is not None and exc_type is None:
            raise failure

    # --- what the owner may ask ---------------------------------------------------------------

    def drain(self) -> None:
        """Take nothing more. Leaving the context then waits for what runs."""
        if not self._draining.is_set():
            self._draining.set()
            self._executor.take_no_more()
            self._heartbeat.beat_soon()
            if self._taking is not None:
                self._taking.stop()

    def hurry(self) -> None:
        """Stop the handlers, too, and give their tasks back. One that does not end is left behind."""
        self.drain()
        self._executor.hurry()

    @property
    def stuck(self) -> bool:
        """Whether a coroutine goes on although it was cancelled: the event loop then cannot be closed
        in good order.
        """
        return self._executor.stuck

    async def registered(self) -> None:
        """Wait until a coordinator has accepted this agent."""
        await self._registration.done.wait()

    async def told_to_stop(self) -> None:
        """Wait for `drain`. Raises what ended the agent, such as `RegistrationRefused`."""
        stop = asyncio.create_task(self._draining.wait())
        try:
            await asyncio.wait({stop, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        failure = self._failure()
        if failure is not None:
            raise failure

    # --- sessions and commands ----------------------------------------------------------------

    async def _session(self, link: Link) -> None:
        """Everything that lives on one link of the taking connection."""
        taking = FetchLoop(
            link,
            self._executor,
            self._sources,
            agent_id=self.options.agent_id,
            rng=self._rng,
        )
        parts = {
            asyncio.create_task(link.closed()),
            asyncio.create_task(self._control.serve(link)),
        }
        if not self._draining.is_set():
            self._taking = taking
            self._taking_ended = asyncio.create_task(taking.run())
            parts.add(self._taking_ended)
        try:
            while link.open:
                done, parts = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                for part in done:
                    part.result()
        finally:
            self._taking = None
            self._heartbeat.beat_soon()
            taking.stop()
            await _end(parts)
        raise ConnectionLost

    async def _let_go(self) -> NoReturn:
        """What was in hand when a channel was lost is done by others; what has come back is not."""
        while True:
            await asyncio.sleep(LET_GO_AFTER)
            self._executor.let_go()

    async def _watch_clock(self) -> NoReturn:
        """A clock that was set, or stood still while the machine slept, is compared again."""
        while True:
            await asyncio.sleep(CLOCK_EVERY)
            if self._clock.was_set:
                self._registration.again()

    def _obey(self, command: Command) -> None:
        match command:
            case ServeSources(sources=offers):
                self._serve(offers)
            case ServeSource(lane=lane, priority=priority, requirements=requirements):
                if self._profile().satisfies(Requirements.from_dict(requirements)):
                    self._sources.add(TaskQueue(lane, priority))
            case LeaveSource(lane=lane, priority=priority):
                self._sources.remove(TaskQueue(lane, priority))
            case CancelTask(task_id=task_id, generation=generation):
                self._executor.cancel(task_id, generation)
            case RegisterAgain():
                self._registration.again()
            case DrainAgent():
                logger.info("told to drain: finishing what runs")
                self.drain()
            case _:
                logger.debug("ignored a command", extra={"command": command.TYPE})

    def _registered(self, reply: RegisterReply) -> None:
        self._apply(reply)
        self._cache.save(reply)
        self._heartbeat.beat_soon()
        self._tell_at_work()

    def _hears(self) -> None:
        self._heartbeat.beat_soon()
        self._tell_at_work()

    def _tell_at_work(self) -> None:
        """Log it once: when the agent takes tasks, from queues that it was told now or, if it starts from
        a cached registration, before.
        """
        if not self._told_at_work and self._sources_known and self._condition() == "active":
            self._told_at_work = True
            logger.info(
                "at work",
                extra={"agent_id": self.options.agent_id, "slots": self.options.slots},
            )

    def _apply(self, reply: RegisterReply) -> None:
        self._sources_known = True
        self._serve(reply.sources)
        self._executor.default_timeout = timedelta(seconds=reply.default_timeout_seconds)
        self._heartbeat.interval = timedelta(seconds=reply.heartbeat_seconds)

    def _serve(self, offers: Iterable[SourceOffer]) -> None:
        """None whose tasks this process has no handler for: another one may be registered by its id."""
        profile = self._profile()
        self._sources.replace(offer.source for offer in offers if offer.suits(profile))

    def _profile(self) -> Profile:
        return self.options.profile(self._handlers.announced)

    def _sources_changed(self) -> None:
        self._executor.changed.set()
        self._heartbeat.beat_soon()

    def _condition(self) -> str:
        """Told truthfully: an agent that hears no commands, takes no tasks (from one of its queues) or
        cannot tell of them is not well.
        """
        if self._draining.is_set():
            return "draining"
        taking = self._taking
        if taking is None or self._connection.link is None or not self._control.alive:
            return "degraded"
        if self._connection.heads.problems():
            return "degraded"
        if self._outbox.held_up or self._executor.given_up >= self._executor.slots:
            return "degraded"
        silence = asyncio.get_running_loop().time() - taking.last_turn
        return "active" if silence < STUCK_AFTER else "degraded"

    # --- stopping -----------------------------------------------------------------------------

    async def _wind_down(self) -> None:
        """Start-up in reverse: finish what runs, tell it, acknowledge it, say goodbye."""
        if self._taking_ended is not None:
            await asyncio.wait([self._taking_ended], timeout=LAST_WORDS.total_seconds())
        while True:
            # Also what a broker that hung pushes late.
            self._executor.give_back_surplus(all_of_it=True)
            try:
                async with asyncio.timeout(1.0):
                    while not (self._executor.idle or self._failure()):
                        self._executor.changed.clear()
                        await self._executor.changed.wait()
            except TimeoutError:
                if not self._executor.nothing_runs:
                    continue
            break
        if self._failure() is not None:
            return  # nothing is left that could tell it
        try:
            async with asyncio.timeout(LAST_WORDS.total_seconds()):
                await self._outbox.emptied()
                await self._executor.receipts.sent()
                goodbye = Event(
                    data=AgentStopped(agent_id=self.options.agent_id, instance=self.instance)
                )
                await self._publisher.publish(
                    encode(goodbye), exchange=EVENTS, key=routing_key(goodbye.data)
                )
        except (TimeoutError, Unavailable) as exc:
            logger.warning("stopped without a word to the broker", extra={"why": str(exc)})

    def _failure(self) -> BaseException | None:
        """What ended one of the parts that end with the agent only."""
        for task in self._tasks:
            if task.done():
                return _cancelled_by_others() if task.cancelled() else task.exception()
        return None

    def _spawn(self, part: Coroutine[Any, Any, object]) -> None:
        self._tasks.append(asyncio.create_task(part))


def _cancelled_by_others() -> RuntimeError:
    return RuntimeError(
        "A part of the agent was cancelled by other code in its event loop: a handler may cancel only"
        " tasks that it has started itself"
    )


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until it has worked: `asyncio.wait_for`, which the driver uses, swallows a cancellation
    that comes together with its result (up to Python 3.11).
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=1.0)
        for task in done:
            if not task.cancelled():
                task.exception()  # of no interest any more
