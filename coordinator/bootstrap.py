"""Builds the object graph and gives it a life. The only module that knows every other.

    async with running(settings) as coordinator:
        coordinator.app        # the FastAPI application, to be served

There are two connections to the broker: one that only publishes, because the broker blocks who
publishes under an alarm, and one for all the rest. What is read from the broker runs as one session
over the second: declare what must exist, then read; and the same again on the next link.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

from fastapi import FastAPI

from coordinator import __version__
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.connection import OLDEST_BROKER, Connection, Link
from coordinator.broker.publisher import Publisher
from coordinator.broker.queue_depths import QueueDepths
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import BrokerTooOld, LedgerUnavailable, OperatorError
from coordinator.protocol.messages.events import Event
from coordinator.recovery.broker_migration import BrokerMigration
from coordinator.recovery.exclusive_rounds import ExclusiveRounds
from coordinator.recovery.lost_attempt_finder import LostAttemptFinder
from coordinator.recovery.missed_deadlines import MissedDeadlines
from coordinator.recovery.outbox_publisher import OutboxPublisher
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.queues.lane_mover import LaneMover
from coordinator.recovery.queues.queue_retirement import QueueRetirement
from coordinator.recovery.queues.unrouted_tasks import UnroutedTasks
from coordinator.recovery.reconciler import Reconciler
from coordinator.recovery.schedule_runner import ScheduleRunner
from coordinator.recovery.task_canceller import TaskCanceller
from coordinator.recovery.task_redriver import TaskRedriver
from coordinator.recovery.task_republisher import TaskRepublisher
from coordinator.registry.agents.agent_requests import AgentRequests, RegistrationTerms
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.agents.control_queue_probe import ControlQueueProbe
from coordinator.registry.agents.heartbeat_corrections import HeartbeatCorrections
from coordinator.registry.agents.heartbeat_witnesses import HeartbeatWitnesses
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.agents.live_queue_reader import LedgerWaiters, LiveQueueReader
from coordinator.registry.agents.registrar import Registrar
from coordinator.registry.agents.silent_agent_removal import SilentAgentRemoval
from coordinator.registry.ledger.database_clock import DatabaseClock
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.undeliverable_queues import UndeliverableQueues
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.log_reader import LogReader
from coordinator.registry.projection.projector import ProjectionListeners, Projector
from coordinator.registry.projection.projector_fence import ProjectorFence
from coordinator.registry.projection.read_barrier import ReadBarrier
from coordinator.registry.projection.task_end_broadcast import TaskEndBroadcast
from coordinator.registry.queries.dead_tasks import DeadTasks
from coordinator.registry.queries.explanations.why_waiting import WhyWaiting
from coordinator.registry.queries.paged_queries import PagedQueries
from coordinator.registry.queries.queue_sizes import QueueSizes
from coordinator.registry.queries.queue_statistics import QueueStatistics
from coordinator.registry.queries.registry import Registry
from coordinator.registry.stores.idempotency_keys import IdempotencyKeys
from coordinator.registry.stores.outbox_rows import OutboxRows
from coordinator.registry.stores.schedules import Schedules
from coordinator.registry.stores.task_turns import TaskTurns
from coordinator.registry.upkeep.former_broker_tasks import FormerBrokerTasks
from coordinator.registry.upkeep.idle_task_queues import IdleTaskQueues
from coordinator.registry.upkeep.missing_tasks import MissingTasks
from coordinator.registry.upkeep.overdue_tasks import OverdueTasks
from coordinator.registry.upkeep.retention import Retention, RetentionPeriods
from coordinator.registry.upkeep.running_tasks import RunningTasks
from coordinator.registry.upkeep.task_deletion import TaskDeletion
from coordinator.registry.upkeep.untyped_tasks import UntypedTasks
from coordinator.settings import Settings
from coordinator.submission.admission_control import AdmissionControl, AdmissionLimits
from coordinator.submission.batch_submitter import BatchSubmitter
from coordinator.submission.idempotent_submission import IdempotentSubmission
from coordinator.submission.per_id_lock import PerIdLock
from coordinator.submission.queue_clearer import QueueClearer
from coordinator.submission.queue_opener import QueueOpener
from coordinator.submission.request_limits import RequestLimits
from coordinator.submission.submitter import Submitter
from coordinator.submission.task_maker import TaskMaker

from .api import EndpointServices, create_app, run_of

__all__ = ["ANSWERS_WITHIN", "Coordinator", "prepare", "running"]

FIRST_ANSWER = 5.0
"""Seconds that starting waits for the broker's first answer, to tell an operator's mistake at once.
After that the service starts without its broker, and answers 503 until it is there."""

ANSWERS_WITHIN = 10.0
"""Seconds after which a service that has started answers requests in any case, if only to say that it is
not ready, and why."""

POLL = 0.05
"""Seconds between two looks at whether the service is ready."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinator:
    """A running service."""

    app: FastAPI
    registry: Registry
    publisher: Publisher
    opener: QueueOpener
    types: AnnouncedTypes
    hindered: Callable[[], bool]
    """Whether it is known why no task can be submitted: the broker is away, or refuses."""
    life: asyncio.Task[None]
    """Everything that runs in the background; it ends only by an error."""

    @property
    def is_ready(self) -> bool:
        """Whether a task could be submitted now."""
        return self.opener.ready and self.publisher.available

    async def ready(self) -> None:
        """Wait until a task can be submitted. Raises what `failed` raises."""
        await self._until(lambda: self.is_ready)

    async def ready_to_answer(self) -> None:
        """Wait until a task can be submitted, or it is known why none can; no longer than
        `ANSWERS_WITHIN`. Raises what `failed` raises.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS_WITHIN):
                await self._until(lambda: self.is_ready or self.hindered())

    async def agents_known(self, agent_ids: Collection[str]) -> None:
        """Wait until all of these agents are registered and active, and tasks of the types that they have
        announced go to lanes of their own.
        """
        wanted = set(agent_ids)
        await self._until(
            lambda: (
                wanted <= {one.agent_id for one in self.registry.discover(status="active")}
                and not self.types.fresh
            )
        )

    async def failed(self) -> NoReturn:
        """Wait for what the service cannot go on with, and raise it."""
        await asyncio.shield(self.life)
        raise OperatorError("The service ended by itself.")

    async def _until(self, fact: Callable[[], bool]) -> None:
        while not fact():
            if self.life.done():
                await self.failed()
            await asyncio.sleep(POLL)


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Coordinator]:
    """The whole service but its HTTP socket.

    Raises `OperatorError` for what only an operator can put right, such as a wrong password. A
    broker that is away is waited for in the background.
    """
    if settings.amqp_url is None:
        raise OperatorError("No broker is named: set COORDINATOR_AMQP_URL")
    process = f"{socket.gethostname()}-{os.getpid()}"
    async with contextlib.AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(Ledger(settings.ledger_place, patient=True))
        publishing = await stack.enter_async_context(
            Connection(settings.amqp_url, name=f"coordinator {process} publish")
        )
        reading = await stack.enter_async_context(
            Connection(settings.amqp_url, name=f"coordinator {process} read")
        )
        publisher = await stack.enter_async_context(
            Publisher(publishing, timeout=settings.publish_timeout)
        )
        book = TaskQueues()
        for source, requirements in await ledger.task_queues():
            book.add(source, requirements)
        types = AnnouncedTypes(await ledger.announced_types())
        clock = DatabaseClock(ledger)
        await clock.compare()
        graph = _Graph(
            settings=settings,
            secret=settings.secret.encode() if settings.secret else await ledger.secret(),
            process=process,
            ledger=ledger,
            clock=clock,
            publishing=publishing,
            reading=reading,
            publisher=publisher,
            book=book,
            types=types,
        )
        await graph.snapshots.restore()  # known agents are told of before the broker answers
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ANSWER):
                await reading.opened_or_refused()
        life = asyncio.create_task(graph.live(), name="coordinator")
        stack.push_async_callback(_last_snapshot, graph.snapshots)
        stack.push_async_callback(graph.commands.told)
        stack.push_async_callback(graph.endings.told)
        stack.push_async_callback(cancel_and_wait, life)
        yield Coordinator(
            app=graph.app(),
            registry=graph.registry,
            publisher=publisher,
            opener=graph.opener,
            types=types,
            hindered=graph.hindered,
            life=life,
        )


async def prepare(settings: Settings) -> None:
    """Make the ledger where there is none, before several processes open it at once.

    Raises `OperatorError`.
    """
    async with Ledger(settings.ledger_place):
        return


class _Graph:
    """Who is given what. Making it does nothing; `live` does."""

    def __init__(
        self,
        *,
        settings: Settings,
        secret: bytes,
        process: str,
        ledger: Ledger,
        clock: DatabaseClock,
        publishing: Connection,
        reading: Connection,
        publisher: Publisher,
        book: TaskQueues,
        types: AnnouncedTypes,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._clock = clock
        self._publishing = publishing
        self._reading = reading
        self._publisher = publisher
        self._book = book
        self._limits = RequestLimits(
            max_data_depth=settings.max_data_depth,
            max_names=settings.max_capabilities,
            default_max_attempts=settings.default_max_attempts,
        )
        # events in → projection → queries out
        agents = LiveAgents(stale_after=settings.stale_after, now=clock.now)
        self.commands = CommandSender(publisher)
        self.endings = TaskEndBroadcast(publisher)
        catching_up = ReadBarrier(publisher)
        self.registry = Registry(
            ledger=ledger,
            agents=agents,
            book=book,
            catch_up=catching_up.ledger,
            hear=catching_up.live,
        )
        self._browsing = PagedQueries(ledger=ledger, agents=agents, registry=self.registry)
        self._depths = QueueDepths(lambda: reading.link)
        self._queue_lines = QueueStatistics(
            ledger=ledger,
            agents=agents,
            book=book,
            pending=self.registry.pending,
            now=clock.now,
        )
        self._explainer = WhyWaiting(
            find=self.registry.task,
            agents=agents,
            book=book,
            types=types,
            ledger=ledger,
            depths=self._depths,
            lost_after=settings.unnamed_for,
        )
        self._queue_probe = ControlQueueProbe(
            agents=agents, publisher=publisher, ready=self._can_publish
        )
        self._registrar = Registrar(
            agents=agents,
            publisher=publisher,
            hear=catching_up.live,
            has_queue=self._queue_probe.ask,
            opened=lambda: self.opener.ready,
            extra_agent_types=settings.extra_agent_types,
            max_names=settings.max_capabilities,
            now=clock.now,
        )
        self.snapshots = AgentSnapshots(
            ledger=ledger,
            agents=agents,
            interval=settings.snapshot_interval,
            catch_up=catching_up.ledger,
        )
        self._silent_agents = SilentAgentRemoval(
            agents=agents, registrar=self._registrar, remove_after=settings.remove_after
        )
        self.opener = QueueOpener(book=book, publisher=publisher, max_lanes=settings.max_lanes)
        outbox_rows = OutboxRows(ledger, now=clock.now)
        self._too_large = OversizedTasks(publisher=publisher, note=self.registry.note)
        self._outbox = OutboxPublisher(
            rows=outbox_rows,
            puts=self._too_large,
            ensure=self.opener.ensure,
            secret=secret,
            types=types,
            ready=self._can_publish,
            catch_up=catching_up.ledger,
            now=clock.now,
        )
        fence = ProjectorFence(ledger)
        self._projector = Projector(
            fence=fence,
            reader=LogReader(secret=secret, skew_of=agents.skew_of, now=clock.now),
            commands=self.commands,
            told=ProjectionListeners(
                folded=self._folded,
                due=self._outbox.nudge,
                marked=catching_up.marked,
            ),
            now=clock.now,
        )
        self._retention = Retention(
            ledger=ledger,
            keep=RetentionPeriods(ended=settings.keep_ended_for, dead=settings.keep_dead_for),
            active=lambda: fence.held,
            now=clock.now,
        )
        self._live_reader = LiveQueueReader(
            process=process,
            agents=agents,
            snapshots=self.snapshots,
            book=book,
            types=types,
            corrections=HeartbeatCorrections(agents=agents, book=book, commands=self.commands),
            watching=LedgerWaiters(catching_up=catching_up, waiters=self.registry.waiters),
        )
        self._requests = AgentRequests(
            registrar=self._registrar,
            book=book,
            publisher=publisher,
            terms=RegistrationTerms(
                heartbeat_interval=settings.heartbeat_interval,
                stale_after=settings.stale_after,
                default_timeout=settings.default_timeout,
            ),
            now=clock.now,
        )
        # HTTP in → broker out
        self._admission = AdmissionControl(
            book=book,
            depths=QueueDepths(lambda: reading.link),
            most=AdmissionLimits(tasks=settings.max_queued_tasks, size=settings.max_queued_bytes),
        )
        maker = TaskMaker(secret=secret, types=types, limits=self._limits, now=clock.now)
        one_at_a_time = PerIdLock()
        self._submitter = Submitter(
            publisher=publisher,
            ensure=self.opener.ensure,
            tasks=self.registry,
            maker=maker,
            one_at_a_time=one_at_a_time,
            admit=self._admission.admit,
        )
        self._batches = BatchSubmitter(
            publisher=publisher,
            ensure=self.opener.ensure,
            tasks=self.registry,
            maker=maker,
            one_at_a_time=one_at_a_time,
            admit=self._admission.admit,
        )
        self._keys = IdempotencyKeys(ledger, kept=settings.idempotency_retention, now=clock.now)
        self._once = IdempotentSubmission(self._keys, longest=2 * settings.publish_timeout)
        self._clearer = QueueClearer(
            connection=reading, publisher=publisher, book=book, note=self.registry.note
        )
        self._retirement = QueueRetirement(
            book=book,
            opener=self.opener,
            publisher=publisher,
            depths=self._depths,
            idle=IdleTaskQueues(ledger),
            catch_up=catching_up.ledger,
            after=settings.retire_lanes_after,
            now=clock.now,
        )
        # what went wrong is put right
        self._dead_tasks = DeadTasks(ledger)
        self._deletion, self._canceller, self._redriver = self._by_request(
            outbox_rows, secret, types
        )
        self._deadlines = MissedDeadlines(
            overdue=OverdueTasks(ledger),
            publisher=publisher,
            note=self.registry.note,
            ready=self._can_publish,
            now=clock.now,
        )
        self._former_broker, reconciler = self._putting_again(agents, catching_up, secret, types)
        self._lane_mover = LaneMover(
            book=book,
            types=types,
            waiting=UntypedTasks(ledger),
            ensure=self.opener.ensure,
            publisher=publisher,
            too_large=self._too_large,
            catch_up=catching_up.ledger,
        )
        lost_attempts = LostAttemptFinder(
            running=RunningTasks(ledger),
            agents=HeartbeatWitnesses(agents),
            depths=self._depths,
            publisher=publisher,
            catch_up=catching_up.ledger,
            note=self.registry.note,
            after=settings.unnamed_for,
            time_limit=settings.default_timeout,
        )
        self._rounds = ExclusiveRounds(reconciler, lost_attempts)
        self._unrouted = UnroutedTasks(
            reopen=self.opener.ensure, publisher=publisher, too_large=self._too_large
        )
        self._schedules = Schedules(ledger, now=clock.now)
        self._ticks = ScheduleRunner(
            schedules=self._schedules,
            submit=self._submit_run,
            ready=self._can_publish,
            now=clock.now,
        )

    def _putting_again(
        self, agents: LiveAgents, catching_up: ReadBarrier, secret: bytes, types: AnnouncedTypes
    ) -> tuple[BrokerMigration, Reconciler]:
        overtaken = MissingTasks(self._ledger)
        puts = TaskRepublisher(
            messages=overtaken.messages,
            ensure=self.opener.ensure,
            puts=self._too_large,
            secret=secret,
            types=types,
        )
        former_broker = BrokerMigration(
            left=FormerBrokerTasks(self._ledger),
            puts=puts,
            catch_up=catching_up.ledger,
            in_hand=partial(agents.in_hand, heard_within=self._settings.stale_after),
        )
        reconciler = Reconciler(
            overtaken=overtaken,
            depths=self._depths,
            puts=puts,
            catch_up=catching_up.ledger,
            in_hand=agents.in_hand,
            after=self._settings.reconcile_after,
        )
        return former_broker, reconciler

    def _by_request(
        self, outbox: OutboxRows, secret: bytes, types: AnnouncedTypes
    ) -> tuple[TaskDeletion, TaskCanceller, TaskRedriver]:
        """What people do about single tasks: one at a time, over all coordinators."""
        turns = TaskTurns(
            ledger=self._ledger,
            pending=self.registry.pending,
            settle=self.registry.settle,
            now=self._clock.now,
        )
        canceller = TaskCanceller(
            find=self.registry.current_task,
            turns=turns,
            settle=self.registry.settle,
            publisher=self._publisher,
            outbox=outbox,
            note=self.registry.note,
        )
        redriver = TaskRedriver(
            turns=turns,
            dead=self._dead_tasks,
            publisher=self._publisher,
            secret=secret,
            types=types,
            note=self.registry.note_submitted,
            now=self._clock.now,
        )
        deletion = TaskDeletion(
            turns=turns, find=self.registry.current_task, note=self.registry.note_deleted
        )
        return deletion, canceller, redriver

    def app(self) -> FastAPI:
        return create_app(
            EndpointServices(
                submitter=self._submitter,
                batches=self._batches,
                once=self._once,
                clearer=self._clearer,
                canceller=self._canceller,
                redriver=self._redriver,
                dead_tasks=self._dead_tasks,
                deletion=self._deletion,
                registry=self.registry,
                registrar=self._registrar,
                explainer=self._explainer,
                schedules=self._schedules,
                browsing=self._browsing,
                queue_sizes=QueueSizes(book=self._book, depths=self._depths),
                queue_lines=self._queue_lines,
                version=__version__,
                problems=self.problems,
                obstacles=self.obstacles,
                limits=self._limits,
                max_body_bytes=self._settings.max_body_bytes,
                max_batch_bytes=self._settings.max_batch_bytes,
            )
        )

    async def live(self) -> None:
        """Everything in the background; ends only by a bug or by cancellation."""
        await _all(
            self._reading.keep(self._session),
            self.snapshots.run(),
            self._silent_agents.run(),
            self._queue_probe.run(),
            self._outbox.run(),
            self._deadlines.run(),
            self._ticks.run(),
            self.registry.run(),
            self._retention.run(),
            self._keys.run(),
            self._clock.run(),
            UndeliverableQueues(
                self._ledger, heads=self._reading.heads.all, now=self._clock.now
            ).run(),
        )

    async def _session(self, link: Link) -> None:
        _check_version(link)
        await self.opener.restore(link)
        await self._publisher.ready()
        try:
            await _all(
                self._projector.session(link),
                self._live_reader.session(link),
                self._requests.session(link),
                self._unrouted.session(link),
                self._retirement.session(link),
                self._rounds.session(link),
                self._former_broker.session(link),
                self._lane_mover.session(link),
                self._admission.session(link),
                self._publisher.lost(),
            )
        finally:
            # Where the log was deleted, say, a task that is taken now would be in no record.
            self.opener.interrupted()

    async def _submit_run(self, body: dict[str, Any], *, repeated: bool) -> None:
        """One run of a recurring schedule."""
        await self._submitter.submit(replace(run_of(body), repeated=repeated))

    def _folded(self, events: Sequence[Event]) -> None:
        self.registry.folded(events)
        self.endings.folded(events)

    def _can_publish(self) -> bool:
        return self.opener.ready and self._publisher.available

    def hindered(self) -> bool:
        return any(
            one.refused is not None or (one.link is None and one.last_error is not None)
            for one in (self._reading, self._publishing)
        )

    def problems(self) -> list[str]:
        """What keeps the service from its work now, a sentence each."""
        others = self._ledger.problem or self._projector.problem, self._admission.problem
        told = [one for one in others if one is not None]
        return self.obstacles() + self._reading.heads.problems() + told

    def obstacles(self) -> list[str]:
        """What keeps tasks from being submitted now."""
        found: list[str] = []
        if self._reading.link is None or self._publishing.link is None:
            why = self._reading.last_error or self._publishing.last_error
            found.append(f"The broker cannot be reached: {why or 'not tried yet'}")
        elif self._publishing.blocked:
            found.append("The broker is short of memory or disk and takes nothing now.")
        elif not self._can_publish():
            refused = self._reading.refused or self._publishing.refused
            found.append(
                "The queues on the broker are still being opened."
                if refused is None
                else f"The queues on the broker cannot be opened: {refused}"
            )
        return found


async def _last_snapshot(snapshots: AgentSnapshots) -> None:
    try:
        await snapshots.write()
    except LedgerUnavailable as exc:
        logger.warning("no snapshot of the agents at the end: %s", exc)


def _check_version(link: Link) -> None:
    numbers = tuple(int(part) for part in link.server_version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_BROKER:
        raise BrokerTooOld(
            f"This is RabbitMQ {link.server_version}, and 3.10 or later is needed: update it"
        )


async def _all(*work: Coroutine[Any, Any, object]) -> None:
    """Run every piece until one ends; end the others, then raise what the first one raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(*tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
