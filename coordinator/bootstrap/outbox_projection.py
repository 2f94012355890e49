"""Makes the projector, which folds the log into the ledger, and the outbox publisher that it wakes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from coordinator.protocol.messages.events import Event
from coordinator.recovery.outbox_publisher import OutboxPublisher
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.registry.ledger.parked_bounds import ParkedBounds
from coordinator.registry.projection.fold_interceptors import FoldInterceptor
from coordinator.registry.projection.interceptors.group_ends import GroupEnds
from coordinator.registry.projection.interceptors.parked_floods import ParkedFloods
from coordinator.registry.projection.interceptors.parked_messages_log import ParkedMessagesLog
from coordinator.registry.projection.interceptors.task_end_log import TaskEndLog
from coordinator.registry.projection.log_decoder import LogDecoder
from coordinator.registry.projection.projector import APART, BESIDE, ProjectionListeners, Projector
from coordinator.registry.projection.projector_fence import ProjectorFence
from coordinator.registry.stores.broker_users import BrokerUsers
from coordinator.registry.stores.outbox_rows import OutboxRows
from coordinator.registry.upkeep.retention import Retention, RetentionPeriods
from coordinator.settings.settings import Settings

from .agent_registry import AgentRegistry
from .publishers import Publishers
from .starting_state import StartingState

__all__ = ["OutboxProjection", "make_outbox_projection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxProjection:
    """Holds what folds the log into the ledger, and what publishes what is due in its outbox."""

    outbox_rows: OutboxRows
    too_large: OversizedTasks
    outbox: OutboxPublisher
    projector: Projector
    floods: ParkedFloods
    retention: Retention


def make_outbox_projection(
    settings: Settings,
    state: StartingState,
    publishers: Publishers,
    agents: AgentRegistry,
    users: BrokerUsers,
    *,
    called: Callable[[], None],
    apart: bool = False,
    interceptors: Sequence[FoldInterceptor] = (),
) -> OutboxProjection:
    """Retention deletes only in the coordinator whose projector holds the fence. ``called`` is called where
    callbacks were ordered by what this process has folded. ``interceptors`` see each batch after the
    service's own. ``apart``: this process answers no requests.
    """
    registry, barrier = agents.registry, publishers.barrier
    outbox_rows = OutboxRows(state.ledger, now=state.now)
    too_large = OversizedTasks(publisher=publishers.publisher, note=registry.note)
    outbox = OutboxPublisher(
        rows=outbox_rows,
        puts=too_large,
        ensure=publishers.opener.ensure,
        secret=state.secret,
        types=state.types,
        ready=publishers.ready,
        catch_up=barrier.ledger,
        now=state.now,
    )

    def folded(events: Sequence[Event]) -> None:
        registry.folded(events)
        publishers.ends.folded(events)
        publishers.growth.folded(events)

    def groups_ended(groups: Collection[str]) -> None:
        registry.group_waiters.ended(groups)
        publishers.ends.groups_ended(groups)

    fence = ProjectorFence(state.ledger)
    floods = ParkedFloods()
    bounds = ParkedBounds(
        messages=settings.keep_parked,
        size=settings.keep_parked_bytes,
        age=settings.keep_parked_for,
    )
    return OutboxProjection(
        outbox_rows=outbox_rows,
        too_large=too_large,
        outbox=outbox,
        projector=Projector(
            fence=fence,
            reader=LogDecoder(
                secret=state.secret,
                identities=users.identities,
                skew_of=agents.agents.skew_of,
                now=state.now,
                largest=settings.message_limit,
            ),
            commands=publishers.commands,
            told=ProjectionListeners(
                folded=folded, due=outbox.nudge, called=called, marked=barrier.marked
            ),
            now=state.now,
            pace=APART if apart else BESIDE,
            interceptors=[
                ParkedMessagesLog(),
                TaskEndLog(),
                floods,
                GroupEnds(groups_ended),
                *interceptors,
            ],
            parked=bounds,
            metadata_keys=frozenset(settings.metadata_keys),
        ),
        floods=floods,
        retention=Retention(
            ledger=state.ledger,
            keep=RetentionPeriods(ended=settings.keep_ended_for, dead=settings.keep_dead_for),
            parked=bounds,
            active=lambda: fence.held,
            now=state.now,
        ),
    )
