"""One handler at work on one attempt.

    begin ──▶ at work ────────────▶ ended      what it returned or raised is the outcome
                 │ told to stop       ▲
                 ▼                    │ within its grace: work that is done still counts
              stopping ───────────────┤
                 │ the grace is over  │ too late: the outcome has been told, it only keeps its slot
                 ▼                    │
              given up ───────────────┘

No task and no timer beyond what the attempt needs: agents do thousands of these in a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import Any, assert_never

from consumers._process.fork_guard import ForkGuard
from consumers._values.handler_limits import HandlerLimits
from consumers.handler_table import Handler
from consumers.outcome import (
    Cancelled,
    Discard,
    Failed,
    Outcome,
    RetryLater,
    Returned,
    chosen,
    completed_with,
    failed_with,
)
from consumers.task import Progress, Task
from coordinator.protocol.messages.events import AttemptError
from coordinator.protocol.messages.task_message import TaskMessage

from .asyncio_task_factory import IN_HANDLER
from .handler_threads import HandlerThreads

__all__ = ["HandlerRun", "StopReason"]

logger = logging.getLogger(__name__)

HURRY = timedelta(seconds=2)
"""The grace where the agent was told twice to stop, at most."""


class StopReason(Enum):
    """Why a running handler is told to stop."""

    CANCELLED = "cancelled"
    """The task has ended in the ledger."""
    TIMED_OUT = "timed out"
    """It has taken longer than the task allows."""
    STALLED = "stalled"
    """It has told of no progress for longer than the task allows."""
    LOST = "lost"
    """The broker has given its task to another agent."""
    HURRIED = "hurried"
    """The agent was told twice to stop."""


class HandlerRun:
    """``on_end`` is called once, with the outcome; ``on_gone`` once, when nothing of it runs any more:
    right after ``on_end``, unless the handler was given up.
    """

    def __init__(
        self,
        handler: Handler,
        message: TaskMessage,
        *,
        threads: HandlerThreads,
        limits: HandlerLimits,
        on_progress: Callable[[Progress], None],
        on_end: Callable[[Outcome], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._message = message
        self._threads = threads
        self._limits = limits
        self._on_progress = on_progress
        self._on_end = on_end
        self._on_gone = on_gone
        self._context = Task(message, self._progressed)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._progress_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._outcome: Outcome | None = None
        """Of the handler, once it has ended."""
        self._thread: asyncio.Future[Any] | None = None
        self._began = self._last_word = time.monotonic()
        self._why: StopReason | None = None
        self.given_up = False
        """It was told to stop and has not ended in time; its outcome has been told."""
        self.lasted = 0.0
        """Seconds in the handler, without the wait for its turn on the loop."""

    @property
    def in_thread(self) -> bool:
        return self._thread is not None

    def begin(self) -> None:
        limits = self._limits
        self._task = asyncio.create_task(self._work())
        self._task.add_done_callback(self._ended)
        self._timer = self._loop.call_later(
            limits.timeout.total_seconds(), self.stop, StopReason.TIMED_OUT
        )
        if limits.progress_timeout is not None:
            self._progress_timer = self._loop.call_later(
                limits.progress_timeout.total_seconds(), self._listen, limits.progress_timeout
            )

    def stop(self, why: StopReason) -> None:
        """Tell it to stop; it has a grace period to do so. The first reason counts, but hurry shortens
        the grace.
        """
        if self._task is None or self._task.done() or self.given_up:
            return
        if self._why is None:
            self._why = why
            self._context.cancel()
            if self._thread is None:  # nothing stops a thread, but it may look
                self._task.cancel()
        elif why is not StopReason.HURRIED:
            return
        self._end_timers()
        grace = self._grace(why)
        if grace > timedelta():
            self._timer = self._loop.call_later(grace.total_seconds(), self._give_up)
        else:
            self._give_up()

    def _grace(self, why: StopReason) -> timedelta:
        match why:
            case StopReason.CANCELLED | StopReason.LOST:
                return self._limits.grace
            case StopReason.TIMED_OUT | StopReason.STALLED:
                return timedelta() if self.in_thread else self._limits.grace
            case StopReason.HURRIED:
                return timedelta() if self.in_thread else min(HURRY, self._limits.grace)
            case _:
                assert_never(why)

    # --- the handler --------------------------------------------------------------------------

    async def _work(self) -> None:
        """Whatever the handler does, there is an outcome at the end."""
        IN_HANDLER.set(True)
        self._began = time.monotonic()
        try:
            self._outcome = await self._attempted()
        except asyncio.CancelledError as exc:
            self._outcome = failed_with(exc) if self._why is None else self._stopped()
        except BaseException as exc:  # noqa: BLE001 - must not end the agent
            self._outcome = self._raised(exc)
        finally:
            if not self.given_up:
                self.lasted = time.monotonic() - self._began

    async def _attempted(self) -> Outcome:
        handler = self._handler
        if handler.asynchronous:
            with ForkGuard():
                result = await handler.function(self._context)
            return self._returned(result)
        self._thread = self._threads.start(self._call, handler)
        ended = await self._thread
        if ended.error is not None:
            raise ended.error
        if self._context.saw_cancelled:
            return self._stopped()  # what it returned is not what it was asked for
        outcome: Outcome = ended.value
        return outcome

    def _call(self, handler: Handler) -> Outcome:
        """In a thread, and so is what a result does while it is encoded."""
        return self._returned(handler.function(self._context))

    def _returned(self, result: Any) -> Outcome:
        return completed_with(result, max_bytes=self._limits.max_result_bytes)

    def _raised(self, exc: BaseException) -> Outcome:
        """An error while it stops is no reason of its own, unless it was chosen."""
        meant = chosen(exc, RetryLater, Discard) and self._why is not StopReason.CANCELLED
        return failed_with(exc) if self._why is None or meant else self._stopped()

    def _ended(self, _: asyncio.Task[None]) -> None:
        try:
            self._end_timers()
            if not self.given_up:
                # None where it was told to stop before it had begun. A handler that cancels its own
                # task, and returns, has returned.
                self._on_end(self._stopped() if self._outcome is None else self._outcome)
        finally:
            self._on_gone()

    # --- being stopped ------------------------------------------------------------------------

    def _give_up(self) -> None:
        self.given_up = True
        self.lasted = time.monotonic() - self._began
        logger.warning(
            "a handler goes on after it was told to stop, and keeps its slot until it ends",
            extra={
                "task_id": self._message.task_id,
                "why": None if self._why is None else self._why.value,
                "runs_in": "a thread" if self.in_thread else "the event loop",
            },
        )
        try:
            self._on_end(self._stopped())
        finally:
            if not self.in_thread:
                self._cancel_again()

    def _cancel_again(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            pause = max(1.0, self._limits.grace.total_seconds())
            self._timer = self._loop.call_later(pause, self._cancel_again)

    def _stopped(self) -> Outcome:
        match self._why:
            case StopReason.CANCELLED:
                return Cancelled()
            case StopReason.TIMED_OUT:
                seconds = self._limits.timeout.total_seconds()
                return self._too_long(
                    "Timeout",
                    f"The handler took longer than the {seconds:g} seconds that the task allows.",
                )
            case StopReason.STALLED:
                silence = self._limits.progress_timeout or timedelta()
                return self._too_long(
                    "ProgressTimeout",
                    f"The handler told of no progress for {silence.total_seconds():g} seconds,"
                    " which is as long as the task allows.",
                )
            case StopReason.LOST | StopReason.HURRIED | None:
                return Returned()
            case _:
                assert_never(self._why)

    def _too_long(self, kind: str, sentence: str) -> Failed:
        if self.given_up and self.in_thread:
            sentence += (
                " It is a plain function, and its thread cannot be stopped: it was given up, and goes on"
                " in the agent until it returns."
            )
        elif self.given_up:
            sentence += (
                " It was cancelled and did not end: it was given up, and goes on in the agent."
            )
        return Failed(AttemptError(type=kind, message=sentence))

    # --- progress -----------------------------------------------------------------------------

    def _progressed(self, progress: Progress) -> None:
        """From the loop or from a thread."""
        self._last_word = time.monotonic()
        self._on_progress(progress)

    def _listen(self, limit: timedelta) -> None:
        """StopReason it if it was silent for ``limit``, else listen until that could be so."""
        left = limit.total_seconds() - (time.monotonic() - self._last_word)
        if left <= 0:
            self.stop(StopReason.STALLED)
        else:
            self._progress_timer = self._loop.call_later(left, self._listen, limit)

    def _end_timers(self) -> None:
        for timer in (self._timer, self._progress_timer):
            if timer is not None:
                timer.cancel()
