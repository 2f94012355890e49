"""Makes what puts right what went wrong, and what people ask for about single tasks.

Cancelling, redriving and deleting take turns for each task, over all coordinators.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from coordinator.broker.queue_depths import QueueDepths
from coordinator.recovery.broker_migration import BrokerMigration
from coordinator.recovery.doubted_tasks import DoubtedTasks
from coordinator.recovery.exclusive_rounds import ExclusiveRounds
from coordinator.recovery.groups.group_canceller import GroupCanceller
from coordinator.recovery.lost_attempt_finder import LostAttemptFinder
from coordinator.recovery.overdue.follow_up_cancellations import FOLLOW_UP_CANCELLATIONS
from coordinator.recovery.overdue.missed_deadlines import MISSED_DEADLINES
from coordinator.recovery.overdue.overdue_ends import FindsOverdue, OverdueEnds, OverdueRule
from coordinator.recovery.overdue.unanswered_questions import UNANSWERED_QUESTIONS
from coordinator.recovery.questions.question_answerer import QuestionAnswerer
from coordinator.recovery.questions.schema_check import SchemaCheck
from coordinator.recovery.queues.lane_mover import LaneMover
from coordinator.recovery.queues.queue_retirement import QueueRetirement
from coordinator.recovery.queues.requested_retirement import RequestedRetirement
from coordinator.recovery.queues.unrouted_tasks import UnroutedTasks
from coordinator.recovery.reconciler import Reconciler
from coordinator.recovery.task_canceller import TaskCanceller
from coordinator.recovery.task_redriver import TaskRedriver
from coordinator.recovery.task_republisher import TaskRepublisher
from coordinator.registry.agents.heartbeat_witnesses import HeartbeatWitnesses
from coordinator.registry.ledger.undeliverable_queues import UndeliverableQueues
from coordinator.registry.queries.dead_tasks import DeadTasks
from coordinator.registry.stores.group_tasks import GroupTasks
from coordinator.registry.stores.request_turns import RequestTurns
from coordinator.registry.upkeep.former_broker_tasks import FormerBrokerTasks
from coordinator.registry.upkeep.idle_task_queues import IdleTaskQueues
from coordinator.registry.upkeep.missing_tasks import MissingTasks
from coordinator.registry.upkeep.overdue_tasks import OverdueTasks
from coordinator.registry.upkeep.requested_deletion import RequestedDeletion
from coordinator.registry.upkeep.running_tasks import RunningTasks
from coordinator.registry.upkeep.stopped_follow_ups import StoppedFollowUps
from coordinator.registry.upkeep.tasks_in_untyped_lanes import TasksInUntypedLanes
from coordinator.registry.upkeep.unanswered_tasks import UnansweredTasks
from coordinator.registry.upkeep.unserved_lanes import UnservedLanes
from coordinator.settings.settings import Settings

from .agent_registry import AgentRegistry
from .broker_connections import BrokerConnections
from .outbox_projection import OutboxProjection
from .publishers import Publishers
from .replacements import Timings
from .starting_state import StartingState

__all__ = ["RequestedChanges", "TaskRecovery", "make_requested_changes", "make_task_recovery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedChanges:
    """Holds what people ask for about single tasks: cancel, redrive, delete."""

    dead_tasks: DeadTasks
    canceller: TaskCanceller
    group_canceller: GroupCanceller
    answerer: QuestionAnswerer
    redriver: TaskRedriver
    deletion: RequestedDeletion


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecovery:
    """Holds the loops that put right by themselves what went wrong."""

    deadlines: OverdueEnds
    unanswered: OverdueEnds
    follow_up_cancellations: OverdueEnds
    former_broker: BrokerMigration
    rounds: ExclusiveRounds
    doubt_rounds: ExclusiveRounds
    """Of a process that submits and does not fold: what it is not sure of, no other process knows."""
    lane_mover: LaneMover
    unrouted: UnroutedTasks
    retirement: QueueRetirement
    requested_retirement: RequestedRetirement
    undeliverable: UndeliverableQueues


def make_requested_changes(
    state: StartingState, publishers: Publishers, agents: AgentRegistry, writing: OutboxProjection
) -> RequestedChanges:
    """All of them share the turns of the tasks."""
    registry = agents.registry
    turns = RequestTurns(
        ledger=state.ledger, pending=registry.pending, settle=registry.settle, now=state.now
    )
    dead_tasks = DeadTasks(state.ledger)
    return RequestedChanges(
        dead_tasks=dead_tasks,
        canceller=TaskCanceller(
            find=registry.current_task,
            turns=turns,
            settle=registry.settle,
            publisher=publishers.publisher,
            outbox=writing.outbox_rows,
            note=registry.note,
        ),
        group_canceller=GroupCanceller(
            tasks=GroupTasks(state.ledger, now=state.now),
            settle=registry.settle,
            publisher=publishers.publisher,
            outbox=writing.outbox_rows,
            note=registry.note,
        ),
        answerer=QuestionAnswerer(
            find=registry.current_task,
            turns=turns,
            settle=registry.settle,
            publisher=publishers.publisher,
            check_schema=SchemaCheck(),
            note=registry.note,
        ),
        redriver=TaskRedriver(
            turns=turns,
            dead=dead_tasks,
            publisher=publishers.publisher,
            secret=state.secret,
            types=state.types,
            note=registry.note_submitted,
            now=state.now,
        ),
        deletion=RequestedDeletion(
            turns=turns, find=registry.current_task, note=registry.note_deleted
        ),
    )


def make_task_recovery(
    settings: Settings,
    state: StartingState,
    connections: BrokerConnections,
    publishers: Publishers,
    agents: AgentRegistry,
    writing: OutboxProjection,
    doubted: DoubtedTasks,
    *,
    unserved: UnservedLanes,
    timings: Timings,
) -> TaskRecovery:
    """The rounds of the reconciler and of the lost attempts, which one coordinator makes at a time,
    share the depths of the queues with the retirement of queues. ``doubted`` are the tasks that submission
    is not sure of; ``unserved`` finds lanes that are nobody's.
    """
    ledger, publisher = state.ledger, publishers.publisher
    opener, note = publishers.opener, agents.registry.note
    catch_up, depths = publishers.barrier.ledger, connections.depths
    former_broker, reconciler = _republishing(
        settings, state, publishers, agents, writing, depths, doubted
    )
    lost_attempts = LostAttemptFinder(
        running=RunningTasks(ledger),
        agents=HeartbeatWitnesses(agents.agents),
        depths=depths,
        publisher=publisher,
        catch_up=catch_up,
        note=note,
        after=settings.unnamed_for,
        time_limit=settings.default_timeout,
    )
    idle = IdleTaskQueues(ledger)
    by_itself, by_request = (
        QueueRetirement(
            book=state.book,
            opener=opener,
            publisher=publisher,
            depths=depths,
            idle=idle,
            catch_up=catch_up,
            after=settings.retire_lanes_after,
            unserved=unserved,
            unserved_after=settings.retire_unserved_lanes_after,
            now=state.now,
            pause=timings.retirement_pause,
        )
        for _ in range(2)  # each deletes what it has retired itself
    )

    def ends(rule: OverdueRule, overdue: FindsOverdue) -> OverdueEnds:
        return OverdueEnds(
            rule,
            overdue=overdue,
            publisher=publisher,
            note=note,
            ready=publishers.ready,
            now=state.now,
        )

    return TaskRecovery(
        deadlines=ends(MISSED_DEADLINES, OverdueTasks(ledger)),
        unanswered=ends(UNANSWERED_QUESTIONS, UnansweredTasks(ledger)),
        follow_up_cancellations=ends(FOLLOW_UP_CANCELLATIONS, StoppedFollowUps(ledger)),
        former_broker=former_broker,
        rounds=ExclusiveRounds(reconciler, lost_attempts),
        doubt_rounds=ExclusiveRounds(reconciler),
        lane_mover=LaneMover(
            book=state.book,
            types=state.types,
            waiting=TasksInUntypedLanes(ledger),
            ensure=opener.ensure,
            publisher=publisher,
            too_large=writing.too_large,
            catch_up=catch_up,
        ),
        unrouted=UnroutedTasks(
            reopen=opener.ensure,
            publisher=publisher,
            too_large=writing.too_large,
            secret=state.secret,
        ),
        retirement=by_itself,
        requested_retirement=RequestedRetirement(
            retirement=by_request,
            book=state.book,
            idle=idle,
            catch_up=catch_up,
            link=lambda: connections.reading.link,
        ),
        undeliverable=UndeliverableQueues(
            ledger, heads=connections.reading.heads.all, now=state.now
        ),
    )


def _republishing(
    settings: Settings,
    state: StartingState,
    publishers: Publishers,
    agents: AgentRegistry,
    writing: OutboxProjection,
    depths: QueueDepths,
    doubted: DoubtedTasks,
) -> tuple[BrokerMigration, Reconciler]:
    """Both put tasks on their queues again with the same `TaskRepublisher`."""
    overtaken = MissingTasks(state.ledger)
    puts = TaskRepublisher(
        messages=overtaken.messages,
        ensure=publishers.opener.ensure,
        puts=writing.too_large,
        secret=state.secret,
        types=state.types,
    )
    former_broker = BrokerMigration(
        left=FormerBrokerTasks(state.ledger),
        puts=puts,
        catch_up=publishers.barrier.ledger,
        in_hand=partial(agents.agents.in_hand, heard_within=settings.stale_after),
    )
    reconciler = Reconciler(
        overtaken=overtaken,
        depths=depths,
        puts=puts,
        catch_up=publishers.barrier.ledger,
        in_hand=agents.agents.in_hand,
        after=settings.reconcile_after,
        doubted=doubted,
    )
    return former_broker, reconciler
