"""Everything that the agent has in hand: what runs, what waits for a slot, what waits for its ack.

It outlives connections: a handler that runs while a connection is lost goes on, its outcome is
published when there is a connection again, and the message, which the broker has delivered to
somebody else meanwhile, is not acknowledged by this agent. Where that somebody is this agent, the
attempt is not run a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import assert_never

from consumers._fetching.fetch_policy import may_be_given_back
from consumers._handling.handler_run import HandlerRun, StopReason
from consumers._handling.handler_threads import HandlerThreads
from consumers._handling.progress_throttle import ProgressThrottle
from consumers._values.handler_limits import HandlerLimits
from consumers.agent_options import AgentOptions
from consumers.handler_table import HandlerTable
from consumers.outcome import Cancelled, Completed, Failed, Outcome, Returned, event_of
from consumers.task import Progress
from coordinator.broker.channel import Channel, Delivery
from coordinator.errors import MalformedMessage
from coordinator.protocol.messages.events import (
    HeldTask,
    RunningTask,
    TaskDeclined,
    TaskProgressed,
    TaskStarted,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_queue import TaskQueue

from .acknowledgement import Acknowledgement
from .attempt import Attempt, Fence, fence_of
from .crash_loop import counted, crash_loop
from .event_outbox import EventOutbox
from .task_durations import TaskDurations

__all__ = ["TaskExecutor"]

logger = logging.getLogger(__name__)

PROBATION = 2.0
"""Seconds for which a task that was lost before runs before another is taken beside it."""

REMEMBERED = 1000
"""Attempts that ended while their message could not be acknowledged any more."""


class TaskExecutor:
    """Tells of everything through ``outbox``, and acknowledges what that has confirmed."""

    def __init__(
        self,
        options: AgentOptions,
        handlers: HandlerTable,
        *,
        instance: str,
        outbox: EventOutbox[Attempt],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._options = options
        self._handlers = handlers
        self._instance = instance
        self._outbox = outbox
        self._now = now
        outbox.on_confirmed = self.settle
        outbox.on_result_refused = self._result_refused
        self._threads = HandlerThreads(options.slots, name=f"task of {options.agent_id}")
        self._loop = asyncio.get_running_loop()
        self._backlog: list[Attempt] = []
        self._running: dict[Fence, Attempt] = {}
        self._occupied = 0
        self._given_up: set[HandlerRun] = set()
        self._suspect: Attempt | None = None
        """Lost before, perhaps with its agent: alone at first, so that it takes nothing with it."""
        self._ending: dict[Fence, Attempt] = {}
        self._unacknowledged: OrderedDict[Fence, None] = OrderedDict()
        self.receipts = Acknowledgement()
        self.pace = TaskDurations(self._loop.time)
        self.default_timeout = timedelta(hours=1)
        self._closing = False
        self._keeping = False
        """Whether what is to go back is kept, since the broker may push it here again."""
        self.completed = 0
        self.failed = 0
        self.ended = 0
        """Handlers that ended, in whatever way: grows while the agent gets on."""
        self.changed = asyncio.Event()
        """Set whenever something arrives or finishes; whoever waits for it clears it."""
        self.last_change = self._loop.time()

    @property
    def slots(self) -> int:
        return self._options.slots

    @property
    def free(self) -> int:
        """Slots for which there is nothing in hand, and something may be taken."""
        if self._suspect or self._closing:
            return 0
        return max(0, self.slots - self._occupied - len(self._backlog))

    @property
    def full(self) -> bool:
        """No slot is free."""
        return self._occupied >= self.slots

    @property
    def backlog(self) -> int:
        """Tasks in hand that wait for a slot."""
        return len(self._backlog)

    @property
    def idle(self) -> bool:
        """Nothing in hand, and no outcome left to tell."""
        return self.nothing_runs and not self._ending

    @property
    def nothing_runs(self) -> bool:
        """But for handlers that were given up, for which nobody waits."""
        return self._occupied == len(self._given_up) and not self._backlog

    @property
    def given_up(self) -> int:
        """Handlers that go on although they were told to stop, each in a slot."""
        return len(self._given_up)

    @property
    def stuck(self) -> bool:
        """Whether one of those is a coroutine, without which the event loop cannot be closed."""
        return any(not run.in_thread for run in self._given_up)

    @property
    def untold(self) -> int:
        """Attempts whose outcome is not confirmed yet."""
        return len(self._ending)

    def unfinished_from(self, channel: Channel) -> list[Attempt]:
        """What ``channel`` delivered and has not ended yet."""
        in_hand = (*self._running.values(), *self._backlog)
        return [one for one in in_hand if one.deliveries[-1].channel is channel]

    def running(self) -> list[RunningTask]:
        return [attempt.described() for attempt in self._running.values()]

    def held(self) -> list[HeldTask]:
        """What is in hand and does not run: it waits for a slot, or for the confirm of its outcome."""
        return [attempt.held() for attempt in (*self._backlog, *self._ending.values())]

    # --- taking in ----------------------------------------------------------------------------

    def take_in(self, delivery: Delivery, source: TaskQueue) -> None:
        """Start the task, or keep it in hand until a slot is free; after `take_no_more`, until
        `give_back_surplus`.
        """
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
        attempt = Attempt(counted(message, delivery), source, delivery, fence=fence)
        hopeless = crash_loop(message, delivery)
        if hopeless is not None:
            self._conclude(attempt, hopeless)
        elif self._handlers.find(message.task_type) is None:
            self._decline(attempt)
        elif self._room:
            self._start(attempt)
        else:
            self._backlog.append(attempt)
            self._backlog.sort(key=lambda a: a.source.priority.rank)  # stable: in order of arrival

    def _in_hand_already(self, fence: Fence, delivery: Delivery) -> bool:
        """Whether this attempt is in hand: from before its connection was lost, or in another copy."""
        known = self._running.get(fence) or self._ending.get(fence)
        if known is None:
            known = next((one for one in self._backlog if one.fence == fence), None)
        if known is not None:
            known.deliveries.append(delivery)
            return True
        if fence in self._unacknowledged:
            del self._unacknowledged[fence]
            self.receipts.acknowledge([delivery])
            return True
        return False

    def give_back_surplus(self, *, all_of_it: bool = False) -> None:
        """Return what waits for a slot to its queue.

        A task that was returned often enough is kept, and run next, unless ``all_of_it`` must go: the
        broker pushes nothing more then.
        """
        if all_of_it:
            self._keeping = False
        kept: list[Attempt] = []
        for attempt in self._backlog:
            deliveries = [delivery for delivery in attempt.deliveries if delivery.channel.open]
            if all_of_it or all(may_be_given_back(d.delivery_count) for d in deliveries):
                for delivery in deliveries:
                    self.receipts.give_back(delivery)
            else:
                kept.append(attempt)
        self._backlog = kept

    def _decline(self, attempt: Attempt) -> None:
        """Have a coordinator put it on its queue again: no handler of this agent knows its type."""
        message = attempt.message
        logger.warning(
            "given back: no handler for this type",
            extra={"task_id": message.task_id, "task_type": message.task_type},
        )
        self._ending[attempt.fence] = attempt
        self._outbox.put(
            TaskDeclined(
                task_id=message.task_id,
                generation=message.generation,
                attempt=message.attempt,
                agent_id=self._options.agent_id,
                task_type=message.task_type,
                republished=message.republished or 0,
                task_token=message.task_token,
            ),
            receipt=attempt,
        )

    # --- running ------------------------------------------------------------------------------

    def _start(self, attempt: Attempt) -> None:
        message = attempt.message
        handler = self._handlers.find(message.task_type)
        if handler is None:
            raise ValueError(f"no handler for {message.task_type!r}")  # see `take_in`
        attempt.progress = ProgressThrottle(lambda progress: self._progressed(attempt, progress))
        attempt.started_at = datetime.now(UTC)
        self._running[attempt.fence] = attempt
        self._occupied += 1
        self._outbox.put(
            TaskStarted(
                task_id=message.task_id,
                generation=message.generation,
                attempt=message.attempt,
                agent_id=self._options.agent_id,
                instance=self._instance,
            )
        )
        attempt.run = run = HandlerRun(
            handler,
            message,
            threads=self._threads,
            limits=HandlerLimits.of(
                message,
                default_timeout=self.default_timeout,
                grace=self._options.cancel_grace,
                max_result_bytes=self._options.max_result_bytes,
            ),
            on_progress=attempt.progress.note,
            on_end=lambda outcome: self._ended(attempt, run, outcome),
            on_gone=lambda: self._slot_freed(run),
        )
        run.begin()
        if attempt.suspect:
            self._suspect = attempt
            # Nothing is pushed where the pace is unknown: what is only in hand would be lost, too.
            self.pace.distrust(attempt.source)
            self._loop.call_later(PROBATION, self._acquit, attempt)

    def _acquit(self, attempt: Attempt) -> None:
        """It has lived for a while, or is settled."""
        if self._suspect is attempt:
            self._suspect = None
            self._fill_slots()
            self._touch()

    def _ended(self, attempt: Attempt, run: HandlerRun, outcome: Outcome) -> None:
        if run.given_up:
            self._given_up.add(run)
        self.ended += 1
        self._running.pop(attempt.fence, None)
        try:
            if attempt.progress is not None:
                attempt.progress.end()
            self.pace.note(attempt.source, attempt.lasted)
        finally:
            self._conclude(attempt, outcome)

    def _conclude(self, attempt: Attempt, outcome: Outcome) -> None:
        """The one place that decides what becomes of the message: acknowledged, once its outcome is
        confirmed, or given back.
        """
        size = 0
        match outcome:
            case Completed(size=size):
                self.completed += 1
            case Failed():
                self.failed += 1
            case Cancelled():
                self.settle([attempt])
                return
            case Returned():
                if self._keeping:
                    self._backlog.append(attempt)
                else:
                    for delivery in attempt.deliveries:
                        self.receipts.give_back(delivery)
                self._acquit(attempt)
                return
            case _:
                assert_never(outcome)
        self._ending[attempt.fence] = attempt
        event = event_of(
            outcome,
            attempt.message,
            agent_id=self._options.agent_id,
            duration=timedelta(seconds=attempt.lasted),
        )
        self._outbox.put(event, size=size, receipt=attempt)
        if isinstance(outcome, Failed):  # told first: a handler's logging may raise anything
            logger.warning(
                "task failed",
                extra={"task_id": attempt.message.task_id, "error": outcome.error.message},
            )

    def _result_refused(self) -> None:
        """By the broker, which does not take so much: the attempt failed."""
        self.completed -= 1
        self.failed += 1

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """Acknowledge: their ends are recorded."""
        alive: list[Delivery] = []
        for attempt in attempts:
            self._ending.pop(attempt.fence, None)
            self._acquit(attempt)
            usable = [delivery for delivery in attempt.deliveries if delivery.channel.open]
            alive += usable
            if not usable:
                self._unacknowledged[attempt.fence] = None
                if len(self._unacknowledged) > REMEMBERED:
                    self._unacknowledged.popitem(last=False)
        self.receipts.acknowledge(alive)
        self._touch()

    def _slot_freed(self, run: HandlerRun) -> None:
        self._occupied -= 1
        self._given_up.discard(run)
        self._fill_slots()

    @property
    def _room(self) -> bool:
        """Whether a task may be started."""
        return self._occupied < self.slots and not (self._suspect or self._closing)

    def _fill_slots(self) -> None:
        while self._backlog and self._room:
            attempt = self._backlog.pop(0)
            if attempt.ours:
                self._start(attempt)  # otherwise the broker has taken it back
        self._touch()

    def _progressed(self, attempt: Attempt, progress: Progress) -> None:
        message = attempt.message
        self._outbox.put(
            TaskProgressed(
                task_id=message.task_id,
                generation=message.generation,
                attempt=message.attempt,
                agent_id=self._options.agent_id,
                fraction=progress.fraction,
                message=progress.message,
            )
        )

    # --- stopping -----------------------------------------------------------------------------

    def cancel(self, task_id: str, generation: int) -> None:
        """StopReason working on a task that has ended; nothing happens where it is not running."""
        for attempt in list(self._running.values()):
            if (attempt.message.task_id, attempt.message.generation) == (task_id, generation):
                attempt.ask_to_stop(StopReason.CANCELLED)

    def let_go(self) -> None:
        """StopReason working on what the broker has given to somebody else."""
        for attempt in list(self._running.values()):
            if not attempt.ours:
                attempt.ask_to_stop(StopReason.LOST)

    def take_no_more(self) -> None:
        """Start nothing more. What waits for a slot, and what still arrives, is kept until the broker
        has stopped pushing: a task that is given back before comes again at once, and each return counts.
        """
        if not self._closing:
            self._closing = self._keeping = True

    def hurry(self) -> None:
        """StopReason every handler now, and give its task back."""
        for attempt in list(self._running.values()):
            attempt.ask_to_stop(StopReason.HURRIED)

    def close(self) -> None:
        self._threads.close()

    def _touch(self) -> None:
        self.last_change = self._loop.time()
        self.changed.set()
