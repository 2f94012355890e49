"""Starts delivered tasks in free slots, and settles their messages once the outcomes are confirmed.

    delivered ─▶ backlog ─▶ running ─▶ ended ─▶ acknowledged
                    │ surplus, draining          once the broker has confirmed the outcome
                    └─▶ given back

It outlives connections: a handler that runs while a connection is lost goes on, its outcome is
published when there is a connection again, and the message, which the broker has delivered to
somebody else meanwhile, is not acknowledged by this agent. Where that somebody is this agent, the
attempt is not run a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from coordinator.broker.channel import Channel, Delivery
from coordinator.errors import MalformedMessage
from coordinator.protocol.messages.events import HeldTask, RunningTask
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_queue import TaskQueue

from .._handling.artifact_transfers import ArtifactTransfers
from .._handling.handler_environment import HandlerEnvironment
from .._handling.handler_run import HandlerRun
from .._handling.handler_threads import HandlerThreads
from .._handling.output_buffer import Emitted
from .._handling.progress_throttle import ProgressThrottle
from .._values.follow_up_wish import FollowUp, FollowUpWish, SubmissionRefused
from .._values.handler_limits import HandlerLimits
from ..agent_options import AgentOptions
from ..handler_table import HandlerTable
from ..outcome import Asked, Cancelled, Completed, Failed, Outcome, Returned
from .attempt import Attempt, Fence, fence_of
from .attempt_reporter import AttemptReporter
from .backlog import Backlog
from .crash_loop import counted, crash_loop
from .crash_probation import CrashProbation
from .ended_attempts import EndedAttempts
from .event_publisher import EventPublisher
from .message_acknowledger import MessageAcknowledger
from .output_publisher import OutputPublisher
from .running_attempts import RunningAttempts
from .slots import Slots
from .task_durations import TaskDurations

__all__ = ["TaskExecutor"]

logger = logging.getLogger(__name__)


Submits = Callable[[Attempt, FollowUpWish], Coroutine[Any, Any, FollowUp]]
"""Has a follow-up task submitted in the name of an attempt: `_link.follow_up_requests.FollowUpRequests`."""


async def _nobody_submits(_attempt: Attempt, _wish: FollowUpWish) -> FollowUp:
    raise SubmissionRefused("nothing submits tasks for this agent")


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class TaskExecutor:
    """Runs up to ``options.slots`` handlers at once, and publishes what becomes of them.

    ``output`` publishes what handlers emit; without one it is dropped. ``now`` is the coordinator's time,
    which judges deadlines; ``wall`` the agent's own, which its events are told in.
    """

    def __init__(
        self,
        options: AgentOptions,
        handlers: HandlerTable,
        *,
        instance: str,
        event_publisher: EventPublisher[Attempt],
        output: OutputPublisher | None = None,
        submit: Submits = _nobody_submits,
        now: Callable[[], datetime] = _wall_clock,
        wall: Callable[[], datetime] = _wall_clock,
    ) -> None:
        self._options = options
        self._handlers = handlers
        self._output = output
        self._submit = submit
        self._now = now
        self._wall = wall
        event_publisher.on_confirmed = self.settle
        self._threads = HandlerThreads(options.slots, name=f"task of {options.agent_id}")
        self._transfers = HandlerThreads(options.slots, name=f"artifact of {options.agent_id}")
        self._environment = HandlerEnvironment(
            agent_id=options.agent_id,
            threads=self._threads,
            artifacts=ArtifactTransfers(options.artifact_store(), self._transfers),
            interceptors=options.interceptors,
            ask_again=options.timings.ask_again,
        )
        self._loop = asyncio.get_running_loop()
        self._report = AttemptReporter(
            event_publisher, agent_id=options.agent_id, instance=instance
        )
        self.receipts = MessageAcknowledger()
        self.slots = Slots(options.slots)
        self.backlog = Backlog(self.receipts)
        self.running = RunningAttempts()
        self.untold = EndedAttempts(self.receipts)
        """Attempts whose outcome is not confirmed yet."""
        self._probation = CrashProbation(options.timings.crash_probation, on_end=self._fill_slots)
        self.pace = TaskDurations(self._loop.time)
        self.default_timeout = timedelta(hours=1)
        self.ended = 0
        """Handlers that ended, in whatever way: grows while the agent gets on."""
        self.changed = asyncio.Event()
        """Set whenever something arrives or finishes; whoever waits for it clears it."""
        self.last_change = self._loop.time()
        """By the loop's clock, when `changed` was set last."""
        self.on_delivery: Callable[[Delivery], None] = lambda _: None
        """Called with each message that the broker delivered, before it is looked at."""

    @property
    def free(self) -> int:
        """Slots for which there is nothing in hand, and something may be taken."""
        if self._probation.active or self.backlog.draining:
            return 0
        return max(0, self.slots.unoccupied - len(self.backlog))

    @property
    def completed(self) -> int:
        """Attempts since the start; likewise `failed`."""
        return self._report.completed

    @property
    def failed(self) -> int:
        return self._report.failed

    @property
    def idle(self) -> bool:
        """Nothing in hand, and no outcome left to tell."""
        return self.nothing_runs and not self.untold

    @property
    def nothing_runs(self) -> bool:
        """But for handlers that were given up, for which nobody waits."""
        return not self.slots.waited_for and not self.backlog

    def unfinished_from(self, channel: Channel) -> list[Attempt]:
        """What ``channel`` delivered and has not ended yet."""
        in_hand = (*self.running, *self.backlog)
        return [one for one in in_hand if one.deliveries[-1].channel is channel]

    def described(self) -> tuple[list[RunningTask], list[HeldTask]]:
        """As a heartbeat tells of them: what runs, and what is in hand and does not: it waits for a slot,
        or for the confirm of its outcome.
        """
        held = [attempt.held() for attempt in (*self.backlog, *self.untold)]
        return self.running.described(), held

    # --- taking in ----------------------------------------------------------------------------

    def take_in(self, delivery: Delivery, source: TaskQueue) -> None:
        """Start the task, or keep it in hand until a slot is free; after `take_no_more`, until the
        backlog is given back.
        """
        self.on_delivery(delivery)
        self._touch()
        self.receipts.hold(delivery)
        try:
            message = TaskMessage.from_message(delivery.message)
        except MalformedMessage as exc:
            logger.warning("not a task", extra={"queue": source.queue, "why": str(exc)})
            self.receipts.reject(delivery)
            return
        if message.expires_at is not None and message.expires_at <= self._now():
            # Only a coordinator may say that a task expired; the broker tells it of the rejection.
            self.receipts.reject(delivery)
            return
        fence = fence_of(message)
        if self._in_hand_already(fence, delivery):
            return
        attempt = Attempt(
            counted(message, delivery), source, delivery, fence=fence, arrived_at=self._wall()
        )
        hopeless = crash_loop(message, delivery)
        if hopeless is not None:
            self._conclude(attempt, hopeless)
        elif self._handlers.find(message.task_type) is None:
            self.untold.add(attempt)
            self._report.declined(attempt)
        elif self._room:
            self._start(attempt)
        else:
            self.backlog.add(attempt)

    def _in_hand_already(self, fence: Fence, delivery: Delivery) -> bool:
        """Whether this attempt is in hand: from before its connection was lost, or in another copy."""
        known = self.running.find(fence) or self.untold.find(fence) or self.backlog.find(fence)
        if known is not None:
            known.deliveries.append(delivery)
            return True
        return self.untold.settle_again(fence, delivery)

    # --- running ------------------------------------------------------------------------------

    @property
    def _room(self) -> bool:
        """Whether a task may be started."""
        return not (self.slots.full or self._probation.active or self.backlog.draining)

    def _fill_slots(self) -> None:
        while self._room and (attempt := self.backlog.next()) is not None:
            self._start(attempt)
        self._touch()

    def _start(self, attempt: Attempt) -> None:
        message = attempt.message
        handler = self._handlers.find(message.task_type)
        if handler is None:
            raise ValueError(f"no handler for {message.task_type!r}")  # see `take_in`
        attempt.progress = ProgressThrottle(
            lambda progress: self._report.progressed(attempt, progress),
            interval=self._options.timings.progress_interval,
        )
        attempt.started_at = self._wall()
        self.running.add(attempt)
        self.slots.occupy()
        self._report.started(attempt)
        attempt.run = run = HandlerRun(
            handler,
            message,
            trace=attempt.trace,
            environment=self._environment,
            limits=HandlerLimits.of(
                message,
                default_timeout=self.default_timeout,
                grace=self._options.cancel_grace,
                max_result_bytes=self._options.max_result_bytes,
            ),
            on_progress=attempt.progress.note,
            on_output=lambda chunk: self._emit(attempt, chunk),
            people=lambda: self._report.people(attempt),
            submit=lambda wish: self._submit(attempt, wish),
            on_end=lambda outcome: self._ended(attempt, run, outcome),
            on_gone=lambda: self._gone(run),
        )
        run.begin()
        if attempt.suspect:
            # Nothing is pushed where the pace is unknown: what is only in hand would be lost, too.
            self.pace.distrust(attempt.source)
            self._probation.begin(attempt)

    def _emit(self, attempt: Attempt, chunk: bytes) -> Awaitable[None]:
        """From the loop or from a thread."""
        return Emitted() if self._output is None else self._output.emit(attempt, chunk)

    def _ended(self, attempt: Attempt, run: HandlerRun, outcome: Outcome) -> None:
        if run.given_up:
            self.slots.give_up(run)
        if self._output is not None:
            self._output.end(attempt)
        self.ended += 1
        self.running.remove(attempt)
        try:
            if attempt.progress is not None:
                attempt.progress.end()
            self.pace.note(attempt.source, attempt.lasted)
        finally:
            self._conclude(attempt, outcome)

    def _gone(self, run: HandlerRun) -> None:
        self.slots.release(run)
        self._fill_slots()

    # --- settling -----------------------------------------------------------------------------

    def _conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        """The one place that decides what becomes of the message: acknowledged, once its outcome is
        confirmed, or given back.
        """
        match outcome:
            case Completed() | Failed():
                self.untold.add(attempt)
                self._report.ended(attempt, outcome)
            case Asked(question=question):
                self.untold.add(attempt)
                self._report.asked(attempt, question)
            case Cancelled():
                self.settle([attempt])
            case Returned():
                self.backlog.give_back(attempt)
                self._probation.end(attempt)
            case _:
                assert_never(outcome)

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """Acknowledge: their ends are recorded."""
        settled = list(attempts)
        for attempt in settled:
            self._probation.end(attempt)
        self.untold.settle(settled)
        self._touch()

    # --- stopping -----------------------------------------------------------------------------

    def take_no_more(self) -> None:
        """Start nothing more: see `Backlog.drain`."""
        self.backlog.drain()

    def close(self) -> None:
        """End the threads of handlers, those at work when they are done."""
        self._threads.close()
        self._transfers.close()

    def _touch(self) -> None:
        self.last_change = self._loop.time()
        self.changed.set()
