"""Describes an attempt that an agent has in hand: its message, deliveries, progress and handler."""

from __future__ import annotations

from datetime import datetime

from coordinator.broker.channel import Delivery
from coordinator.protocol.messages.events import HeldTask, RunningTask
from coordinator.protocol.messages.task_message import InputAnswer, TaskMessage
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.trace_context import TraceContext

from .._handling.handler_run import HandlerRun
from .._handling.progress_throttle import ProgressThrottle
from .._handling.stop_reason import StopReason
from .crash_loop import may_have_crashed

__all__ = ["Attempt", "Fence", "fence_of"]

Fence = tuple[str, int, int]
"""(task, generation, attempt) as the message says: the same wherever and however often it is
delivered."""


def fence_of(message: TaskMessage) -> Fence:
    """The fence of the attempt that was delivered, whatever crashes it has had since."""
    return (message.task_id, message.generation, message.attempt)


class Attempt:
    """Is one attempt; ``message`` has the number of this attempt, ``fence`` the one that was delivered."""

    def __init__(
        self,
        message: TaskMessage,
        source: TaskQueue,
        delivery: Delivery,
        *,
        fence: Fence,
        arrived_at: datetime,
    ) -> None:
        self.message = message
        self.trace = TraceContext.among(delivery.message.headers) or message.trace
        """Where in a trace the attempt is: below what put the message on its queue, where that is told, else
        below whoever submitted the task."""
        self.source = source
        self.fence = fence
        self.deliveries = [delivery]
        """More than one where a lost connection had the broker deliver it to us again."""
        self.started_at = arrived_at
        """By the agent's clock; until the handler starts, when it arrived."""
        self.progress: ProgressThrottle | None = None
        self.run: HandlerRun | None = None
        """From its start on."""
        self.silenced = False
        """Whether what its handler emits from now on is passed over."""

    @property
    def crashes(self) -> int | None:
        """Agents that were lost with this message in hand, which the attempt counts; None for none."""
        return self.message.attempt - self.fence[2] or None

    @property
    def ours(self) -> bool:
        """Whether the broker has not given it to somebody else."""
        return any(delivery.channel.open for delivery in self.deliveries)

    @property
    def suspect(self) -> bool:
        """Whether it came back so often that it may be what ended the agents that had it."""
        return any(may_have_crashed(one) for one in self.deliveries)

    @property
    def lasted(self) -> float:
        """Seconds in the handler, without the wait for its turn on the loop."""
        return 0.0 if self.run is None else self.run.lasted

    @property
    def trace_within(self) -> TraceContext | None:
        """Where in a trace its end is: in the span of the handler, where there is one."""
        return self.trace if self.run is None else self.run.trace

    def ask_to_stop(self, why: StopReason) -> None:
        """Tell its handler to stop, if one runs: see `HandlerRun.stop`."""
        if self.run is not None:
            self.run.stop(why)

    def give_answer(self, answer: InputAnswer) -> None:
        """Hand its handler an answer, if one runs: see `HandlerRun.give_answer`."""
        if self.run is not None:
            self.run.give_answer(answer)

    def described(self) -> RunningTask:
        """As a heartbeat tells of it."""
        progress = None if self.progress is None else self.progress.latest
        return RunningTask(
            task_id=self.message.task_id,
            generation=self.message.generation,
            attempt=self.message.attempt,
            started_at=self.started_at,
            fraction=None if progress is None else progress.fraction,
            message=None if progress is None else progress.message,
            task_token=self.message.task_token,
            crashes=self.crashes,
        )

    def held(self) -> HeldTask:
        """As a heartbeat tells of it while it does not run."""
        return HeldTask(
            task_id=self.message.task_id,
            generation=self.message.generation,
            attempt=self.message.attempt,
            task_token=self.message.task_token,
            crashes=self.crashes,
        )
