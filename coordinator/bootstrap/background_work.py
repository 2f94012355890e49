"""Runs the loops of all stages, and the sessions over the link to the broker, until one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from coordinator.access.key_ring import KeyRing
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.connection import OLDEST_BROKER, Link
from coordinator.errors import BrokerTooOld, ChannelLost, LedgerUnavailable, QueueMissing
from coordinator.metrics.metrics_page import MetricsPage
from coordinator.partial_output.output_reader import OutputReader
from coordinator.protocol.topology import LOG
from coordinator.registry.projection.fold_problem_broadcast import FoldProblemBroadcast
from coordinator.registry.projection.log_folding_watch import LogFoldingWatch
from coordinator.registry.stores.broker_users import BrokerUsers
from coordinator.registry.stores.callers_tasks import CallersTasks
from coordinator.registry.upkeep.refused_events import RefusedEvents
from coordinator.streaming.event_feed import EventFeed

from .agent_registry import AgentRegistry
from .broker_connections import BrokerConnections
from .callbacks.callback_stage import Callbacks
from .outbox_projection import OutboxProjection
from .publishers import Publishers
from .replacements import Duty
from .starting_state import StartingState
from .task_recovery import TaskRecovery
from .task_submission import TaskSubmission

__all__ = ["BackgroundWork", "run_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundWork:
    """Runs what every stage does in the background, as far as it is this process's ``duty``."""

    duty: Duty

    state: StartingState
    connections: BrokerConnections
    publishers: Publishers
    agents: AgentRegistry
    submission: TaskSubmission
    writing: OutboxProjection
    callbacks: Callbacks
    recovery: TaskRecovery
    folding: LogFoldingWatch | None
    """Only where another process folds the log."""
    users: BrokerUsers
    refused: RefusedEvents
    problems: FoldProblemBroadcast
    feed: EventFeed
    keys: KeyRing | None
    """Where this process asks who calls its API."""
    callers_tasks: CallersTasks | None
    """Where callers have quotas of tasks."""
    page: MetricsPage | None
    """Tells the other processes of the service what this one has counted."""
    output: OutputReader | None
    """Where this process answers HTTP."""

    async def run(self) -> None:
        """Ends only by a bug, which it raises, or by cancellation."""
        loops: list[Coroutine[Any, Any, object]] = [
            self.connections.reading.keep(self._session),
            self.agents.snapshots.run(),
            self.agents.queue_probe.run(),
            self.agents.registry.run(),
            self.recovery.undeliverable.run(),
            self.recovery.requested_retirement.run(),
            self.users.run(),
            self.refused.run(),
        ]
        if self.keys is not None:
            loops.append(self.keys.run())
        if self.callers_tasks is not None:
            loops.append(self.callers_tasks.run())
        if self.page is not None:
            loops.append(self.page.run())
        if self.output is not None:
            # Apart from `_session`: what goes wrong with it stops nothing else.
            loops += [self.connections.reading.keep(self.output.session), self.output.run()]
        if self.state.clock is not None:
            loops.append(self.state.clock.run())
        if self.duty is not Duty.SERVING:
            loops += [
                self.agents.silent_agents.run(),
                self.writing.outbox.run(),
                self.writing.retention.run(),
                self.recovery.deadlines.run(),
                self.recovery.unanswered.run(),
                self.recovery.follow_up_cancellations.run(),
                self.submission.schedule_runner.run(),
                self.submission.keys.run(),
            ]
        if self.callbacks.deliverer is not None:
            loops.append(self.callbacks.deliverer.run())
        if self.duty is Duty.PROJECTING:
            loops.append(self.problems.run())
        else:
            loops += [self.feed.run(), self.feed.keep_following()]
        await run_all(*loops)

    async def _session(self, link: Link) -> None:
        """Declare what must exist on the broker, then read; again on the next link."""
        _check_version(link)
        try:
            await self.users.admitted()  # the link is there: the ledger was claimed over it
        except LedgerUnavailable as exc:
            raise ChannelLost(f"the users of the broker cannot be read: {exc}") from exc
        without_log = await _log_is_missing(link)
        await self.publishers.opener.restore(link)
        if without_log:
            self.agents.registry.doubt(self.state.now())
        await self.publishers.publisher.ready()
        try:
            await run_all(
                self.agents.live_reader.session(link),
                self.submission.requests.session(link),
                self.recovery.lane_mover.session(link),
                self.submission.admission.session(link),
                *self._upkeep(link),
                self.submission.halves.session(link),
                self.publishers.publisher.lost(),
            )
        finally:
            # Where the log was deleted, say, a task that is taken now would be in no record.
            self.publishers.opener.interrupted()

    def _upkeep(self, link: Link) -> list[Coroutine[Any, Any, object]]:
        """What folds the log and goes by it, or what watches the process that does."""
        if self.folding is not None:
            return [self.folding.session(link), self.recovery.doubt_rounds.session(link)]
        return [
            self.writing.projector.session(link),
            self.recovery.unrouted.session(link),
            self.recovery.retirement.session(link),
            self.recovery.rounds.session(link),
            self.recovery.former_broker.session(link),
        ]


async def _log_is_missing(link: Link) -> bool:
    """On a broker that is new, or because somebody deleted it."""
    channel = await link.channel()
    try:
        await channel.depth(LOG)
    except QueueMissing:
        return True
    await channel.close()
    return False


def _check_version(link: Link) -> None:
    numbers = tuple(int(part) for part in link.server_version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_BROKER:
        raise BrokerTooOld(
            f"This is RabbitMQ {link.server_version}, and 3.10 or later is needed: update it"
        )


async def run_all(*work: Coroutine[Any, Any, object]) -> None:
    """Run every piece until one ends; end the others, then raise what the first one raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel_and_wait(*tasks)
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
