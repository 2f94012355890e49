"""Runs one handler on one attempt, and stops it when it is told to.

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
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from coordinator.protocol.messages.task_message import InputAnswer, TaskMessage
from coordinator.protocol.trace_context import TraceContext

from .._process.log_format import ATTEMPT_FIELDS
from .._values.asked_question import AskedQuestion
from .._values.attempt_log_context import task_context
from .._values.follow_up_wish import FollowUp, FollowUpWish
from .._values.handler_limits import HandlerLimits
from ..handler_table import Handler
from ..outcome import (
    Asked,
    Discard,
    InputRequired,
    Outcome,
    RetryLater,
    chosen,
    failed_with,
)
from ..task import Progress, Task
from .answer_wait import AnswerWait, AsksPeople
from .artifact_transfers import Transfer, TransferStopped
from .calls_from_handlers import CallsFromHandlers
from .handler_call import HandlerCall
from .handler_environment import HandlerEnvironment
from .run_timers import RunTimers
from .stop_reason import StopReason, grace_after, outcome_after
from .sys_exit_containment import IN_HANDLER

__all__ = ["HandlerRun"]

logger = logging.getLogger(__name__)


class HandlerRun:
    """Ends once, whatever the handler does.

    ``on_progress`` is called for each word of progress, on the loop or in the handler's thread, and
    ``on_output`` there with each chunk that it emits, as JSON: what it returns may be awaited or not.
    ``people`` gives who is told on the loop what it asks, where it asks something, and ``submit`` is called
    there for each follow-up task.
    ``on_end`` is called once, on the loop, with the outcome; ``on_gone`` once, when nothing of it runs any
    more: right after ``on_end``, unless the handler was given up.
    """

    def __init__(
        self,
        handler: Handler,
        message: TaskMessage,
        *,
        environment: HandlerEnvironment,
        limits: HandlerLimits,
        on_progress: Callable[[Progress], None],
        on_output: Callable[[bytes], Awaitable[None]],
        people: Callable[[], AsksPeople],
        submit: Callable[[FollowUpWish], Coroutine[Any, Any, FollowUp]],
        on_end: Callable[[Outcome], None],
        on_gone: Callable[[], None],
        trace: TraceContext | None = None,
    ) -> None:
        self._message = message
        self._agent_id = environment.agent_id
        self._clock = environment.clock
        self._ask_again = environment.ask_again
        self._artifacts = environment.artifacts
        self._limits = limits
        self._on_progress = on_progress
        self._on_output = on_output
        self._people = people
        self._submit = submit
        self._calls = CallsFromHandlers()
        self._on_end = on_end
        self._on_gone = on_gone
        self._context = Task(
            message,
            self._progressed,
            on_output=self._emitted,
            on_ask=lambda asked: self._calls.call(lambda: self._answer_to(asked)),
            on_artifact=self._move_artifact,
            on_submit=lambda wish: self._calls.call(lambda: self._submit(wish)),
            agent_id=environment.agent_id,
            trace=trace,
        )
        self._call = HandlerCall(
            handler, self._context, environment, max_bytes=limits.max_result_bytes
        )
        self._loop = asyncio.get_running_loop()
        self._timers = RunTimers(limits, clock=self._clock, stop=self.stop)
        self._grace: asyncio.TimerHandle | None = None
        self._answers: AnswerWait | None = None
        """Once it has asked people."""
        self._task: asyncio.Task[None] | None = None
        self._outcome: Outcome | None = None
        """Of the handler, once it has ended."""
        self._began = self._clock()
        self._why: StopReason | None = None
        self.given_up = False
        """It was told to stop and has not ended in time; its outcome has been told."""
        self.lasted = 0.0
        """Seconds in the handler, without the waits for its turn on the loop and for people."""

    @property
    def in_thread(self) -> bool:
        """Whether the handler is in a thread, which cannot be cancelled."""
        return self._call.in_thread

    @property
    def trace(self) -> TraceContext | None:
        """Where in a trace the handler is, or was when it ended."""
        return self._context.trace

    @property
    def unanswered_for(self) -> float:
        """Seconds for which it has waited for a coordinator, or for people, and had no answer; 0 where it
        waits for neither.
        """
        return self._calls.unanswered_for

    def begin(self) -> None:
        """Start the handler and its time-outs; once."""
        self._task = asyncio.create_task(self._work())
        self._task.add_done_callback(self._ended)
        self._timers.begin()

    def give_answer(self, answer: InputAnswer) -> None:
        """Somebody has answered what the handler has asked."""
        if self._answers is not None:
            self._answers.give(answer)

    def stop(self, why: StopReason) -> None:
        """Tell it to stop; it has a grace period to do so. The first reason counts, but hurry shortens
        the grace.
        """
        if self._task is None or self._task.done() or self.given_up:
            return
        if self._why is None:
            self._why = why
            self._context.cancel()
            if not self.in_thread:  # nothing stops a thread, but it may look
                self._task.cancel()
            else:
                self._calls.end()
        elif why is not StopReason.HURRIED:
            return
        self._end_timers()
        grace = grace_after(why, self._limits, in_thread=self.in_thread)
        if grace > timedelta():
            self._grace = self._loop.call_later(grace.total_seconds(), self._give_up)
        else:
            self._give_up()

    # --- the handler --------------------------------------------------------------------------

    async def _work(self) -> None:
        """Whatever the handler does, there is an outcome at the end."""
        IN_HANDLER.set(True)
        ATTEMPT_FIELDS.set(self._log_fields)
        self._began = self._clock()
        try:
            self._outcome = await self._call.outcome()
        except asyncio.CancelledError as exc:
            by_itself = self._why is None and not self._call.saw_stop
            self._outcome = failed_with(exc) if by_itself else self._stopped()
        except InputRequired as exc:
            self._outcome = Asked(exc.asked) if self._why is None else self._stopped()
        except BaseException as exc:  # noqa: BLE001 - must not end the agent
            self._outcome = self._raised(exc)
        finally:
            if not self.given_up:
                self.lasted = self._clock() - self._began - self._timers.stood_still

    def _raised(self, exc: BaseException) -> Outcome:
        """An error while it stops is no reason of its own, unless it was chosen."""
        meant = chosen(exc, RetryLater, Discard) and self._why is not StopReason.CANCELLED
        return failed_with(exc) if self._why is None or meant else self._stopped()

    def _ended(self, _: asyncio.Task[None]) -> None:
        thread = self._call.left_behind
        try:
            self._end_timers()
            if not self.given_up:
                if thread is not None:
                    self._context.cancel()
                    self._note_given_up()
                # None where it was told to stop before it had begun. A handler that cancels its own
                # task, and returns, has returned.
                self._on_end(self._stopped() if self._outcome is None else self._outcome)
        finally:
            if thread is None:
                self._on_gone()
            else:
                thread.add_done_callback(lambda _: self._on_gone())

    # --- being stopped ------------------------------------------------------------------------

    def _give_up(self) -> None:
        self.lasted = self._clock() - self._began - self._timers.stood_still
        self._note_given_up()
        try:
            self._on_end(self._stopped())
        finally:
            if not self.in_thread:
                self._cancel_again()

    def _note_given_up(self) -> None:
        self.given_up = True
        logger.warning(
            "a handler goes on after it was told to stop, and keeps its slot until it ends",
            extra=self._log_fields()
            | {
                "why": None if self._why is None else self._why.value,
                "runs_in": "a thread" if self.in_thread else "the event loop",
            },
        )

    def _log_fields(self) -> dict[str, object]:
        return task_context(
            self._message.task_id,
            task_type=self._message.task_type,
            attempt=self._message.attempt,
            agent_id=self._agent_id,
            trace=self.trace,
        )

    def _cancel_again(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            pause = max(1.0, self._limits.grace.total_seconds())
            self._grace = self._loop.call_later(pause, self._cancel_again)

    def _stopped(self) -> Outcome:
        return outcome_after(
            self._why, self._limits, given_up=self.given_up, in_thread=self.in_thread
        )

    # --- progress -----------------------------------------------------------------------------

    def _progressed(self, progress: Progress) -> None:
        """From the loop or from a thread."""
        self._timers.word()
        self._on_progress(progress)

    def _emitted(self, chunk: bytes) -> Awaitable[None]:
        """A handler that says something is not stalled."""
        self._timers.word()
        return self._on_output(chunk)

    def _move_artifact(self, transfer: Transfer) -> Any:
        return self._artifacts.run(transfer, self._piece_moved)

    def _piece_moved(self) -> None:
        """Nor is one whose artifact gets on. Once it was given up, that is the place to end its thread."""
        if self.given_up:
            raise TransferStopped("the attempt is over, and so is the transfer of its artifact")
        self._timers.word()

    def _end_timers(self) -> None:
        self._timers.end()
        if self._grace is not None:
            self._grace.cancel()

    # --- people -------------------------------------------------------------------------------

    async def _answer_to(self, asked: AskedQuestion) -> Any:
        if self._answers is None:
            self._answers = AnswerWait(
                self._people(),
                known=self._message.answers or (),
                again=self._ask_again,
                pause=self._timers.pause,
                go_on=self._timers.go_on,
            )
        return await self._answers.answer_to(asked)
