"""Runs one agent: connects its parts, keeps them alive over lost connections, and stops them.

connection "agent <id> events" ── OutputPublisher ◀────────────────────┐
                      └────────── Publisher ◀── EventPublisher ◀────────┤
                                       ▲ ◀── Heartbeat ◀─ HeartbeatContent │
                                       └ ◀── Registration            │
connection "agent <id>" ── ControlQueue ──▶ CommandDispatch ──▶ ServedQueues
                      └─── FetchLoop ──▶ TaskExecutor ── handlers ───┘ ── FollowUpRequests ──▶ Publisher
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Self

from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Publisher
from coordinator.errors import ConnectionLost, InvalidRequest, OperatorError
from coordinator.missing_extra import missing_extra
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.events import AgentStopped
from coordinator.protocol.messages.registration import RegisterReply
from coordinator.protocol.reference_clock import ReferenceClock
from coordinator.tracing.trace_export import flush_spans, start_tracing

from ._fetching.fetch_loop import FetchLoop
from ._fetching.fetch_policy import look_spread
from ._fetching.fleet import Fleet
from ._fetching.served_queues import ServedQueues
from ._handling.sys_exit_containment import tasks_contained
from ._link.agent_figures import AgentFigures
from ._link.agent_health import AgentHealth
from ._link.answered_requests import AnsweredRequests
from ._link.command_dispatch import CommandDispatch
from ._link.control_queue import ControlQueue
from ._link.follow_up_requests import FollowUpRequests
from ._link.heartbeat import Heartbeat
from ._link.heartbeat_content import HeartbeatContent
from ._link.registration import Registration
from ._link.registration_cache import RegistrationCache
from ._link.shutdown import Shutdown
from ._process.background_tasks import BackgroundTasks, end_tasks
from ._working.attempt import Attempt
from ._working.event_publisher import EventPublisher
from ._working.output_publisher import OutputPublisher
from ._working.task_executor import TaskExecutor
from .agent_options import AgentOptions, with_hint_of_address
from .handler_table import HandlerTable

if TYPE_CHECKING:
    from ._metrics.scrape_server import ScrapeServer

__all__ = ["RunningAgent"]

logger = logging.getLogger(__name__)


LAST_OUTPUT = 1.0
"""Seconds that a stopping agent waits for its last partial output to be published."""


def _traced(options: AgentOptions, instance: str) -> AgentOptions:
    """With spans around its attempts, in a process where tracing is configured."""
    if not start_tracing(options.agent_type, instance=f"{options.agent_id}/{instance}"):
        return options
    from ._handling.attempt_spans import with_spans  # noqa: PLC0415 - needs OpenTelemetry

    return with_spans(options)


class RunningAgent:
    """Is an agent at work, from `async with` on. Leaving it drains; leaving it by an exception hurries.

    Entering raises `BrokerRefused`, or `InvalidRequest` for an agent without handlers; leaving what else
    ended it, such as `RegistrationRefused`.
    """

    def __init__(
        self, options: AgentOptions, handlers: HandlerTable, *, rng: random.Random | None = None
    ) -> None:
        self._scraped = _scrape_server(options, lambda: self._figures)
        if self._scraped is not None:
            options = _with_attempt_metrics(options, handlers, self._scraped)
        self.instance = new_id()
        """Which process of the agent this is; told in its heartbeats."""
        options = _traced(options, self.instance)
        self.options = options
        self._handlers = handlers
        self._background = BackgroundTasks()
        self._rng = rng or random.Random()
        timings = options.timings
        url, name = options.broker_url(), f"agent {options.agent_id}"
        self._url = url
        connect = partial(Connection, url, timings=timings.connection, rng=self._rng)
        self._connection = connect(name=name)
        self._events = connect(name=f"{name} events")
        self._publisher = Publisher(self._events)
        self._event_publisher: EventPublisher[Attempt] = EventPublisher(
            self._publisher, timings=timings, rng=self._rng
        )
        self._output = OutputPublisher(
            self._events,
            agent_id=options.agent_id,
            slots=options.slots,
            timings=timings,
            rng=self._rng,
        )
        self._clock = ReferenceClock()
        self._executor = TaskExecutor(
            options,
            handlers,
            instance=self.instance,
            event_publisher=self._event_publisher,
            output=self._output,
            submit=lambda attempt, wish: self._follow_ups.submit(  # noqa: PLW0108 - made below
                attempt, wish
            ),
            now=self._clock.now,
            wall=self._clock.own,
        )
        self._sources = ServedQueues(asyncio.get_running_loop().time)
        self._fleet = Fleet()
        self._fleet.on_missing = self._wake_queue_missing
        self._commands = CommandDispatch(
            self._sources,
            self._executor,
            profile=lambda: options.profile(handlers.announced),
            register_again=lambda: self._registration.again(),  # noqa: PLW0108 - made below
            drain=self.drain,
            beat_at=lambda: self._heartbeat.made_at,
        )
        self._control = ControlQueue(
            options.agent_id,
            publisher=self._publisher,
            on_command=self._commands.obey,
            fleet_size=lambda: self._fleet.size,
            timings=timings,
            rng=self._rng,
        )
        requests = AnsweredRequests(
            publisher=self._publisher, control=self._control, timings=timings, rng=self._rng
        )
        self._follow_ups = FollowUpRequests(options.agent_id, requests=requests, timings=timings)
        self._cache = RegistrationCache(options.cache_folder(), options.profile(), amqp_url=url)
        self._registration = Registration(
            lambda: options.request(self.instance, handlers.announced),
            requests=requests,
            control=self._control,
            clock=self._clock,
            on_reply=self._registered,
        )
        self._health = AgentHealth(
            self._connection,
            self._control,
            self._event_publisher,
            self._executor,
            self._sources,
            stuck_after=timings.stuck_after,
        )
        self._figures = AgentFigures(self._executor, self._health, self._output)
        self._state = HeartbeatContent(
            self._executor,
            self._sources,
            self._health,
            agent_id=options.agent_id,
            instance=self.instance,
            wall=self._clock.own,
        )
        self._heartbeat = Heartbeat(
            self._publisher,
            state=self._state,
            busy=lambda: self._executor.slots.full,
            timings=timings,
            rng=self._rng,
        )
        self._control.on_ready = self._hears
        self._event_publisher.on_held_up = self._heartbeat.beat_soon
        self._sources.on_change = self._sources_changed
        self._shutdown = Shutdown(
            self._executor,
            self._event_publisher,
            self._publisher,
            failed=lambda: self._background.failure() is not None,
            flush_timeout=timings.flush_timeout,
        )
        self._fetching_ended: asyncio.Task[None] | None = None
        self._sources_known = self._told_at_work = self._entered = False
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
        try:
            await self._open_all()
        except BaseException:
            await self._open.aclose()  # nothing of one that did not start goes on
            raise
        for part in (
            self._connection.keep(self._session),
            self._registration.run(),
            self._event_publisher.run(),
            self._output.run(),
            self._heartbeat.run(),
            self._watch_clock(),
        ):
            self._background.start(part)
        if self.options.on_lost_connection == "cancel":
            self._background.start(self._let_go())
        return self

    async def _open_all(self) -> None:
        self._open.enter_context(tasks_contained(asyncio.get_running_loop()))
        await self._open.enter_async_context(self._events)
        await self._open.enter_async_context(self._connection)
        await self._open.enter_async_context(self._publisher)
        await self._connection.attempted()
        if isinstance(self._connection.last_error, OperatorError):
            raise with_hint_of_address(self._connection.last_error, self._url)
        cached = self._cache.load()
        if cached is not None:
            logger.info(
                "starting with the cached registration", extra={"path": str(self._cache.path)}
            )
            self._apply(cached, as_of=-math.inf)
        if self._scraped is not None:
            self._open.enter_context(self._scraped)
            logger.info("metrics", extra={"url": self._scraped.address})

    async def __aexit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        failure = self._background.failure()
        try:
            if exc_type is not None:
                self.hurry()
            if failure is None:
                self.drain()
                goodbye = AgentStopped(agent_id=self.options.agent_id, instance=self.instance)
                await self._shutdown.wind_down(goodbye, fetching=self._fetching_ended)
                await self._output.emptied(LAST_OUTPUT)
        finally:
            await self._background.end()
            self._executor.close()
            await self._open.aclose()
            await asyncio.to_thread(flush_spans)
        if failure is not None and exc_type is None:
            raise failure

    # --- what the owner may ask ---------------------------------------------------------------

    def drain(self) -> None:
        """Take nothing more. Leaving the context then waits for what runs."""
        if not self._health.draining.is_set():
            self._health.draining.set()
            self._executor.take_no_more()
            self._heartbeat.beat_soon()
            if self._health.fetching is not None:
                self._health.fetching.stop()

    def hurry(self) -> None:
        """Stop the handlers, too, and give their tasks back. One that does not end is left behind."""
        self.drain()
        self._executor.running.hurry()

    @property
    def stuck(self) -> bool:
        """Whether a coroutine goes on although it was cancelled: the event loop then cannot be closed
        in good order.
        """
        return self._executor.slots.stuck

    async def registered(self) -> None:
        """Wait until a coordinator has accepted this agent."""
        await self._registration.done.wait()

    async def told_to_stop(self) -> None:
        """Wait for `drain`. Raises what ended the agent, such as `RegistrationRefused`."""
        await self._background.until(self._health.draining)
        failure = self._background.failure()
        if failure is not None:
            raise failure

    @property
    def metrics_url(self) -> str | None:
        """Where Prometheus reads of it; None where it tells nobody."""
        return None if self._scraped is None else self._scraped.address

    # --- sessions and registration ----------------------------------------------------------------

    async def _session(self, link: Link) -> None:
        """Everything that lives on one link of the connection that tasks come over."""
        fetching = FetchLoop(
            link,
            self._executor,
            self._sources,
            self._fleet,
            publisher=self._publisher,
            agent_id=self.options.agent_id,
            timings=self.options.timings,
            rng=self._rng,
        )
        parts = {
            asyncio.create_task(link.closed()),
            asyncio.create_task(self._control.serve(link)),
        }
        if not self._health.draining.is_set():
            self._health.fetching = fetching
            self._fetching_ended = asyncio.create_task(fetching.run())
            parts.add(self._fetching_ended)
        try:
            while link.open:
                done, parts = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                for part in done:
                    part.result()
        finally:
            self._health.fetching = None
            self._heartbeat.beat_soon()
            fetching.stop()
            await end_tasks(parts)
        raise ConnectionLost

    async def _let_go(self) -> NoReturn:
        """What was in hand when a channel was lost is done by others; what has come back is not."""
        while True:
            await asyncio.sleep(self.options.timings.lost_task_check.total_seconds())
            self._executor.running.let_go()

    async def _watch_clock(self) -> NoReturn:
        """A clock that was set, or stood still while the machine slept, is compared again."""
        while True:
            await asyncio.sleep(self.options.timings.clock_check.total_seconds())
            if self._clock.was_set:
                self._registration.again()

    def _registered(self, reply: RegisterReply, asked: float) -> None:
        self._apply(reply, as_of=asked)
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
        if not self._told_at_work and self._sources_known and self._health.status() == "active":
            self._told_at_work = True
            logger.info(
                "at work",
                extra={"agent_id": self.options.agent_id, "slots": self.options.slots},
            )

    def _apply(self, reply: RegisterReply, *, as_of: float) -> None:
        self._sources_known = True
        self._fleet.told(reply.wake_queue, reply.wake_queues)
        self._commands.serve(reply.sources, as_of=as_of)
        self._executor.default_timeout = timedelta(seconds=reply.default_timeout_seconds)
        self._heartbeat.interval = timedelta(seconds=reply.heartbeat_seconds)

    def _wake_queue_missing(self) -> None:
        """All of its kind notice at once: they ask for it one after another."""
        delay = self._rng.uniform(0, look_spread(self._fleet.size))
        asyncio.get_running_loop().call_later(delay, self._registration.again)

    def _sources_changed(self) -> None:
        if self._health.fetching is not None:
            self._health.fetching.hear_news()
        self._heartbeat.beat_soon()


def _scrape_server(
    options: AgentOptions, figures: Callable[[], AgentFigures]
) -> ScrapeServer | None:
    """Not started; None without a port. Raises `OperatorError` where the library is not installed."""
    if options.metrics_port is None:
        return None
    try:
        from ._metrics.scrape_server import ScrapeServer  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as exc:
        raise OperatorError(missing_extra("An agent with a metrics_port", "metrics", exc)) from exc
    return ScrapeServer(options.metrics_port, options.metrics_host, figures=figures)


def _with_attempt_metrics(
    options: AgentOptions, handlers: HandlerTable, scraped: ScrapeServer
) -> AgentOptions:
    """Outermost, so that what other interceptors take and raise is counted, too."""
    from ._metrics.attempt_metrics import AttemptMetrics  # noqa: PLC0415

    counting = AttemptMetrics(scraped.registry, announced=lambda: handlers.announced)
    return replace(options, interceptors=(counting, *options.interceptors))
