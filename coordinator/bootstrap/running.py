"""Opens, builds and runs the service, and stops it in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator

from coordinator.access.key_ring import KeyRing
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.intercepted_publisher import make_publisher
from coordinator.errors import LedgerUnavailable, OperatorError
from coordinator.metrics.counting import Counting
from coordinator.metrics.group_file import GroupMember
from coordinator.private_folder import wide_folder
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.feed.folded_page import FoldedPageOffer
from coordinator.registry.feed.recorded_events import RecordedEvents
from coordinator.registry.ledger.database_url import wide_ledger
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.fold_problem_broadcast import FoldProblemBroadcast
from coordinator.registry.projection.log_folding_watch import LogFoldingWatch
from coordinator.registry.stores.broker_users import BrokerUsers
from coordinator.registry.stores.callers_tasks import CallersTasks
from coordinator.registry.upkeep.refused_events import RefusedEvents
from coordinator.registry.upkeep.unserved_lanes import UnservedLanes
from coordinator.settings.settings import Settings
from coordinator.streaming.event_feed import EventFeed
from coordinator.streaming.subscriber_counts import SubscriberCounts
from coordinator.submission.lane_limits import LaneLimits

from .agent_registry import make_agent_registry
from .api_application import AccessControl, make_access_control, make_application
from .background_work import BackgroundWork
from .broker_connections import broker_connections
from .callbacks.callback_stage import make_callbacks
from .health_report import HealthReport
from .outbox_projection import make_outbox_projection
from .publishers import make_publishers
from .query_services import make_metrics_page, make_output_reader, make_query_services
from .replacements import NONE, Duty, Replacements
from .running_coordinator import Coordinator
from .starting_state import read_starting_state
from .task_recovery import make_requested_changes, make_task_recovery
from .task_submission import make_task_submission

__all__ = ["prepare", "running"]

FIRST_ANSWER = 5.0
"""Seconds that starting waits for the broker's first answer, to tell an operator's mistake at once.
After that the service starts without its broker, and answers 503 until it is there."""

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    replacements: Replacements = NONE,
    *,
    duty: Duty = Duty.ALL,
    member: GroupMember | None = None,
) -> AsyncIterator[Coordinator]:
    """The whole service but its HTTP socket, with ``replacements`` for parts of it; or the part of it that
    is this process's ``duty``, where other processes do the rest: ``member`` is where they share what they
    count.

    Raises `OperatorError` for what only an operator can put right, such as a wrong password. A
    broker that is away is waited for in the background.
    """
    if settings.amqp_url is None:
        raise OperatorError("No broker is named: set COORDINATOR_AMQP_URL")
    counting = Counting() if settings.metrics else None
    process = f"{socket.gethostname()}-{os.getpid()}"
    async with contextlib.AsyncExitStack() as stack:
        ledger = replacements.ledger
        if ledger is None:
            ledger = await stack.enter_async_context(Ledger(settings.ledger_place, patient=True))
        connections = await stack.enter_async_context(
            broker_connections(
                settings.amqp_url,
                process=process,
                ledger_id=await ledger.identity(),
                connect=replacements.connect,
            )
        )
        if duty is not Duty.SERVING:  # one process tells it for all
            _tell_what_is_wide(settings)
        publisher = await stack.enter_async_context(
            make_publisher(
                connections.publishing,
                timeout=settings.publish_timeout,
                largest=settings.message_limit,
                interceptors=[
                    *([] if counting is None else [counting.publishes]),
                    *replacements.publish_interceptors,
                ],
                stamps=replacements.message_stamps,
            )
        )
        state = await read_starting_state(ledger, secret=settings.secret, now=replacements.now)
        unserved = UnservedLanes(ledger)
        publishers = make_publishers(
            publisher,
            process=process,
            book=state.book,
            limits=_lane_limits(settings),
            unserved=unserved,
            why_not=connections.belongs_elsewhere,
        )
        feed = EventFeed(
            RecordedEvents(ledger),
            follow=publishers.follow.send,
            most=settings.max_streams,
            pace=replacements.timings.feed,
            cut=_count_no_end if counting is None else counting.count_cut_off,
        )
        users = BrokerUsers(
            ledger,
            required=settings.require_identity,
            own=lambda: connections.publishing.user,
        )
        await users.read()
        folding = LogFoldingWatch(depths=connections.depths) if duty is Duty.SERVING else None
        agents = make_agent_registry(
            settings,
            state,
            publishers,
            users,
            process=process,
            timings=replacements.timings,
            grown=feed.nudge,
            folding=folding,
        )
        callbacks = stack.enter_context(
            contextlib.closing(
                make_callbacks(
                    settings,
                    state,
                    delivers=duty is not Duty.SERVING,
                    count=_count_nothing if counting is None else counting.count_callback,
                    resolve=replacements.resolve,
                    backoff=replacements.timings.callbacks,
                )
            )
        )
        access = await make_access_control(settings, state)
        submission = make_task_submission(
            settings,
            state,
            connections,
            publishers,
            agents,
            users=users,
            counting=counting,
            callbacks=callbacks.checks,
            begin_trace=replacements.begin_trace,
            admit=access.quotas.submit,
            note=access.note_follow_up,
        )
        writing = make_outbox_projection(
            settings,
            state,
            publishers,
            agents,
            users,
            called=callbacks.nudge,
            apart=duty is Duty.PROJECTING,
            interceptors=[
                FoldedPageOffer(feed.folded),
                *([] if counting is None else [counting.folds]),
                *replacements.fold_interceptors,
            ],
        )
        changes = make_requested_changes(state, publishers, agents, writing)
        recovery = make_task_recovery(
            settings,
            state,
            connections,
            publishers,
            agents,
            writing,
            submission.halves.doubts,
            unserved=unserved,
            timings=replacements.timings,
        )
        queries = make_query_services(settings, state, connections, agents)
        output = make_output_reader(settings, state, users, process=process, counting=counting)
        refused = RefusedEvents(ledger, now=state.now)
        callers = (
            CallersTasks(ledger, access.quotas.counted) if settings.max_callers_tasks else None
        )
        health = HealthReport(
            connections=connections,
            publishers=publishers,
            ledger=ledger,
            projector=writing.projector,
            floods=writing.floods,
            callbacks=callbacks,
            admission=submission.admission,
            refused=refused,
            refused_users=submission.requests.refused_users,
            folding=folding,
        )
        subscribers = SubscriberCounts()
        page = None
        if counting is not None:
            page = make_metrics_page(
                settings,
                state,
                connections,
                publishers,
                agents,
                queries=queries,
                health=health,
                counting=counting,
                subscribers=subscribers,
                member=member,
            )
            stack.push_async_callback(page.aclose)
        work = BackgroundWork(
            duty=duty,
            state=state,
            connections=connections,
            publishers=publishers,
            agents=agents,
            submission=submission,
            writing=writing,
            callbacks=callbacks,
            recovery=recovery,
            folding=folding,
            users=users,
            refused=refused,
            problems=FoldProblemBroadcast(publisher, problems=health.folding_problems),
            feed=feed,
            keys=None if duty is Duty.PROJECTING else access.ring,
            callers_tasks=None if callers is None or duty is Duty.PROJECTING else callers,
            page=page,
            output=None if duty is Duty.PROJECTING else output,
        )
        await agents.snapshots.restore()  # known agents are told of before the broker answers
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ANSWER):
                await connections.reading.opened_or_refused()
        life = asyncio.create_task(work.run(), name="coordinator")
        if folding is None:
            stack.push_async_callback(_last_snapshot, agents.snapshots)
        _end_access(stack, access)
        for told in (publishers.commands, publishers.ends, publishers.growth):
            stack.push_async_callback(told.told)
        stack.push_async_callback(cancel_and_wait, life)
        stack.callback(feed.stop)
        yield Coordinator(
            app=make_application(
                settings,
                agents=agents,
                submission=submission,
                callbacks=callbacks,
                changes=changes,
                recovery=recovery,
                queries=queries,
                health=health,
                access=access,
                page=page,
                counting=counting,
                feed=feed,
                subscribers=subscribers,
                output=output.output,
                examine=replacements.examine,
            ),
            page=page,
            note_error=None if counting is None else counting.errors.note,
            registry=agents.registry,
            publisher=publisher,
            opener=publishers.opener,
            output=output.output,
            types=state.types,
            hindered=health.hindered,
            log_is_read=health.log_is_read,
            leave=health.leaving.set,
            stop_streams=feed.stop,
            life=life,
        )


def _count_nothing(_: str) -> None:
    """Where nothing is counted."""


def _count_no_end() -> None:
    """The same."""


def _tell_what_is_wide(settings: Settings) -> None:
    for wide in (wide_folder(settings.data_dir), wide_ledger(settings.ledger_place)):
        if wide is not None:
            logger.warning("%s", wide)


def _lane_limits(settings: Settings) -> LaneLimits:
    return LaneLimits(
        lanes=settings.max_lanes,
        unserved=settings.max_unserved_lanes,
        absent_agents=settings.max_absent_agents,
        per_caller=settings.max_callers_lanes,
    )


async def prepare(settings: Settings) -> None:
    """Make the ledger where there is none, before several processes open it at once.

    Raises `OperatorError`.
    """
    async with Ledger(settings.ledger_place):
        return


def _end_access(stack: contextlib.AsyncExitStack, access: AccessControl) -> None:
    """When ``stack`` is left, what was noted of callers is written."""
    if access.audit is not None:
        stack.callback(access.audit.flush)
    if access.authenticator is not None:
        stack.push_async_callback(_last_uses, access.authenticator.ring)


async def _last_uses(keys: KeyRing) -> None:
    try:
        await keys.write_uses()
    except LedgerUnavailable as exc:
        logger.warning("which API keys were used is not written at the end: %s", exc)


async def _last_snapshot(snapshots: AgentSnapshots) -> None:
    try:
        await snapshots.write()
    except LedgerUnavailable as exc:
        logger.warning("no snapshot of the agents at the end: %s", exc)
