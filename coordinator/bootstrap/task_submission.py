"""Makes what takes tasks in: limits, admission, Idempotency-Keys, one task or a batch, runs of schedules,
and what agents ask for, follow-up tasks among it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from coordinator.api import run_of
from coordinator.api.ports.command_ports import SubmitsBatches, SubmitsTasks
from coordinator.metrics.counting import Counting
from coordinator.protocol.trace_context import TraceContext
from coordinator.recovery.half_published_tasks import HalfPublishedTasks
from coordinator.recovery.schedule_runner import ScheduleRunner
from coordinator.registry.agents.registration_answers import RegistrationAnswers
from coordinator.registry.stores.broker_users import BrokerUsers
from coordinator.registry.stores.idempotency_keys import IdempotencyKeys
from coordinator.registry.stores.schedules import Schedules
from coordinator.settings.settings import Settings
from coordinator.submission.admission_control import AdmissionControl, AdmissionLimits
from coordinator.submission.batch_submitter import BatchSubmitter
from coordinator.submission.follow_up_submitter import FollowUpSubmitter, NotesFollowUp
from coordinator.submission.idempotent_submission import IdempotentSubmission
from coordinator.submission.per_id_lock import PerIdLock
from coordinator.submission.ports import ChecksCallbacks
from coordinator.submission.queue_clearer import QueueClearer
from coordinator.submission.request_limits import RequestLimits
from coordinator.submission.submitter import Submitter
from coordinator.submission.task_maker import TaskMaker
from coordinator.submission.task_publisher import TaskPublisher

from .agent_registry import AgentRegistry, make_agent_requests
from .broker_connections import BrokerConnections
from .publishers import Publishers
from .starting_state import StartingState

__all__ = ["TaskSubmission", "make_task_submission"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSubmission:
    """HTTP in, broker out."""

    limits: RequestLimits
    admission: AdmissionControl
    halves: HalfPublishedTasks
    submitter: SubmitsTasks
    batches: SubmitsBatches
    keys: IdempotencyKeys
    once: IdempotentSubmission
    clearer: QueueClearer
    requests: RegistrationAnswers
    schedules: Schedules
    schedule_runner: ScheduleRunner


def make_task_submission(
    settings: Settings,
    state: StartingState,
    connections: BrokerConnections,
    publishers: Publishers,
    agents: AgentRegistry,
    *,
    users: BrokerUsers,
    callbacks: ChecksCallbacks,
    begin_trace: Callable[[], TraceContext | None],
    admit: Callable[[str | None], None],
    note: NotesFollowUp,
    counting: Counting | None = None,
) -> TaskSubmission:
    """One and many tasks share the lock of each id, the maker and the admission; ``counting`` counts both.
    ``callbacks`` checks those of submissions; ``begin_trace`` gives the trace of a task that a schedule
    submits, and ``admit`` is the quota of whoever is to have one more task. ``note`` is told of follow-up
    tasks that are taken.
    """
    publisher, opener, registry = publishers.publisher, publishers.opener, agents.registry
    limits = RequestLimits(
        max_data_depth=settings.max_data_depth,
        max_names=settings.max_capabilities,
        default_max_attempts=settings.default_max_attempts,
    )
    admission = AdmissionControl(
        book=state.book,
        depths=connections.admission_depths,
        most=AdmissionLimits(tasks=settings.max_queued_tasks, size=settings.max_queued_bytes),
    )
    maker = TaskMaker(
        secret=state.secret,
        types=state.types,
        callbacks=callbacks,
        limits=limits,
        now=state.now,
    )
    one_at_a_time = PerIdLock()
    halves = HalfPublishedTasks(
        publisher=publisher,
        find=registry.current_task,
        catch_up=publishers.barrier.ledger,
        in_hand=agents.agents.in_hand,
        depths=connections.depths,
    )
    registry.on_unrecorded = halves.unrecorded
    tasks = TaskPublisher(publisher, halves=halves, grouped=settings.group_log)
    submitter = Submitter(
        publisher=tasks,
        ensure=opener.ensure,
        tasks=registry,
        maker=maker,
        one_at_a_time=one_at_a_time,
        admit=admission.admit,
        doubt=halves.doubted,
    )
    batches = BatchSubmitter(
        publisher=tasks,
        ensure=opener.ensure,
        tasks=registry,
        maker=maker,
        one_at_a_time=one_at_a_time,
        admit=admission.admit,
        doubt=halves.doubted,
    )

    async def submit_run(body: dict[str, Any], *, by: str | None, repeated: bool) -> None:
        run = replace(run_of(body, by), repeated=repeated, trace=begin_trace())
        await runs.submit(run)

    runs = submitter if counting is None else counting.scheduled(submitter)

    keys = IdempotencyKeys(state.ledger, kept=settings.idempotency_retention, now=state.now)
    once = IdempotentSubmission(keys, longest=2 * settings.publish_timeout)
    single = submitter if counting is None else counting.single(submitter)
    follow_ups = FollowUpSubmitter(
        secret=state.secret,
        tasks=registry,
        submitter=single,
        once=once,
        read=run_of,
        admit=admit,
        note=note,
    )
    schedules = Schedules(state.ledger, now=state.now)
    return TaskSubmission(
        limits=limits,
        admission=admission,
        halves=halves,
        submitter=single,
        batches=batches if counting is None else counting.batches(batches),
        keys=keys,
        once=once,
        clearer=QueueClearer(
            connection=connections.reading,
            publisher=publisher,
            book=state.book,
            note=registry.note,
        ),
        requests=make_agent_requests(
            settings, state, publishers, agents, users, follow_ups=follow_ups.answer
        ),
        schedules=schedules,
        schedule_runner=ScheduleRunner(
            schedules=schedules, submit=submit_run, ready=publishers.ready, now=state.now
        ),
    )
