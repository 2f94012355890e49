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
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import assert_never

from coordinator.broker.channel import Delivery
from coordinator.errors import MalformedMessage
from coordinator.protocol.events import RunningTask, TaskProgressed, TaskStarted
from coordinator.protocol.lanes import Source
from coordinator.protocol.task import TaskMessage

from .attempt import Attempt, Fence, Stop, run_attempt
from .choosing import may_be_given_back
from .context import Progress, Task
from .handlers import Handlers
from .options import AgentOptions
from .outbox import Outbox
from .outcome import Cancelled, Completed, Failed, Outcome, Returned, event_of
from .pace import Pace
from .progress import ProgressLine
from .receipts import Receipts
from .threads import Threads

__all__ = ["Workbench"]

logger = logging.getLogger(__name__)

REMEMBERED = 1000
"""Attempts that ended while their message could not be acknowledged any more."""


class Workbench:
    """Tells of everything through ``outbox``, and acknowledges what that has confirmed."""

    def __init__(
        self,
        options: AgentOptions,
        handlers: Handlers,
        *,
        instance: str,
        outbox: Outbox[Attempt],
    ) -> None:
        self._options = options
        self._handlers = handlers
        self._instance = instance
        self._outbox = outbox
        outbox.on_confirmed = self.settle
        self._threads = Threads(options.slots, name=f"task of {options.agent_id}")
        self._loop = asyncio.get_running_loop()
        self._backlog: list[Attempt] = []
        self._running: dict[Fence, Attempt] = {}
        self._occupied = 0
        self._ending: dict[Fence, Attempt] = {}
        self._unacknowledged: OrderedDict[Fence, None] = OrderedDict()
        self.receipts = Receipts()
        self.pace = Pace()
        self.default_timeout = timedelta(hours=1)
        self._closing = False
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
        """Slots for which there is nothing in hand."""
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
        return not (self._occupied or self._backlog)

    @property
    def untold(self) -> int:
        """Attempts whose outcome is not confirmed yet."""
        return len(self._ending)

    def running(self) -> list[RunningTask]:
        return [attempt.described() for attempt in self._running.values()]

    # --- taking in ----------------------------------------------------------------------------

    def take_in(self, delivery: Delivery, source: Source) -> None:
        """Start the task, or keep it in hand until a slot is free; after `take_no_more`, return it."""
        self._touch()
        self.receipts.hold(delivery)
        if self._closing:
            self.receipts.give_back(delivery)
            return
        try:
            message = TaskMessage.from_message(delivery.message)
        except MalformedMessage as exc:
            logger.warning("not a task", extra={"queue": source.queue, "why": str(exc)})
            self.receipts.reject(delivery)
            return
        if message.expires_at is not None and message.expires_at <= datetime.now(UTC):
            # Only a coordinator may say that a task expired; the broker tells it of the rejection.
            self.receipts.reject(delivery)
            return
        attempt = Attempt(message, source, delivery)
        if self._in_hand_already(attempt.fence, delivery):
            return
        if self._occupied < self.slots:
            self._start(attempt)
        else:
            self._backlog.append(attempt)
            self._backlog.sort(key=lambda a: a.source.priority.rank)  # stable: in order of arrival

    def _in_hand_already(self, fence: Fence, delivery: Delivery) -> bool:
        """Whether this attempt was in hand before its connection was lost."""
        known = self._running.get(fence) or self._ending.get(fence)
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

        A task that was returned often enough is kept, and run next, unless ``all_of_it`` must go.
        """
        kept: list[Attempt] = []
        for attempt in self._backlog:
            deliveries = [delivery for delivery in attempt.deliveries if delivery.channel.open]
            if all_of_it or all(may_be_given_back(d.delivery_count) for d in deliveries):
                for delivery in deliveries:
                    self.receipts.give_back(delivery)
            else:
                kept.append(attempt)
        self._backlog = kept

    # --- running ------------------------------------------------------------------------------

    def _start(self, attempt: Attempt) -> None:
        message = attempt.message
        attempt.progress = ProgressLine(lambda progress: self._progressed(attempt, progress))
        attempt.context = Task(message, attempt.progress.note)
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
        seconds = message.timeout_seconds
        attempt.running = asyncio.create_task(
            run_attempt(
                attempt,
                self._handlers.find(message.task_type),
                attempt.context,
                threads=self._threads,
                timeout=self.default_timeout if seconds is None else timedelta(seconds=seconds),
                max_result_bytes=self._options.max_result_bytes,
            )
        )
        attempt.running.add_done_callback(lambda ended: self._ended(attempt, ended))

    def _ended(self, attempt: Attempt, ended: asyncio.Task[Outcome]) -> None:
        if ended.cancelled():  # asked to stop before it had begun
            outcome: Outcome = Cancelled() if attempt.stop is Stop.CANCELLED else Returned()
        else:
            outcome = ended.result()
        if attempt.progress is not None:
            attempt.progress.end()
        self.ended += 1
        self._running.pop(attempt.fence, None)
        self.pace.note(attempt.source, attempt.lasted)
        self._conclude(attempt, outcome, timedelta(seconds=attempt.lasted))
        if attempt.thread is not None and not attempt.thread.done():
            logger.warning(
                "a handler goes on in its thread and keeps its slot until it returns",
                extra={"task_id": attempt.message.task_id},
            )
            attempt.thread.add_done_callback(lambda _: self._slot_freed())
        else:
            self._slot_freed()

    def _conclude(self, attempt: Attempt, outcome: Outcome, duration: timedelta) -> None:
        """The one place that decides what becomes of the message: acknowledged, once its outcome is
        confirmed, or given back.
        """
        size = 0
        match outcome:
            case Completed(size=size):
                self.completed += 1
            case Failed(error=error):
                self.failed += 1
                logger.warning(
                    "task failed",
                    extra={"task_id": attempt.message.task_id, "error": error.message},
                )
            case Cancelled():
                self.settle([attempt])
                return
            case Returned():
                for delivery in attempt.deliveries:
                    self.receipts.give_back(delivery)
                return
            case _:
                assert_never(outcome)
        self._ending[attempt.fence] = attempt
        event = event_of(
            outcome, attempt.message, agent_id=self._options.agent_id, duration=duration
        )
        self._outbox.put(event, size=size, receipt=attempt)

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """Acknowledge: their ends are recorded."""
        alive: list[Delivery] = []
        for attempt in attempts:
            self._ending.pop(attempt.fence, None)
            usable = [delivery for delivery in attempt.deliveries if delivery.channel.open]
            alive += usable
            if not usable:
                self._unacknowledged[attempt.fence] = None
                if len(self._unacknowledged) > REMEMBERED:
                    self._unacknowledged.popitem(last=False)
        self.receipts.acknowledge(alive)
        self._touch()

    def _slot_freed(self) -> None:
        self._occupied -= 1
        while self._backlog and self._occupied < self.slots:
            attempt = self._backlog.pop(0)
            if any(delivery.channel.open for delivery in attempt.deliveries):
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
        """Stop working on a task that has ended; nothing happens where it is not running."""
        for attempt in list(self._running.values()):
            if (attempt.message.task_id, attempt.message.generation) == (task_id, generation):
                attempt.ask_to_stop(Stop.CANCELLED)

    def take_no_more(self) -> None:
        """What still arrives is for others."""
        self._closing = True

    def hurry(self) -> None:
        """Stop every handler now, and give its task back."""
        self.give_back_surplus(all_of_it=True)
        for attempt in list(self._running.values()):
            attempt.ask_to_stop(Stop.HURRIED)

    def close(self) -> None:
        self._threads.close()

    def _touch(self) -> None:
        self.last_change = self._loop.time()
        self.changed.set()
