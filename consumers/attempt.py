"""One attempt at a task, from the message in hand to its outcome."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from coordinator.broker.channel import Delivery
from coordinator.protocol.events import AttemptError, RunningTask
from coordinator.protocol.lanes import Source
from coordinator.protocol.task import TaskMessage

from .context import Task
from .handlers import Handler
from .outcome import Cancelled, Failed, Outcome, Returned, completed_with, failed_with
from .progress import ProgressLine
from .threads import Threads

__all__ = ["Attempt", "Fence", "Stop", "run_attempt"]

logger = logging.getLogger(__name__)

Fence = tuple[str, int, int]
"""(task, generation, attempt): what one attempt is, wherever it is delivered."""


class Stop(Enum):
    """Why a running handler is asked to stop."""

    CANCELLED = "cancelled"
    """The task has ended in the ledger."""
    HURRIED = "hurried"
    """The agent was told twice to stop."""


class Attempt:
    """What the agent knows of an attempt that it has in hand."""

    def __init__(self, message: TaskMessage, source: Source, delivery: Delivery | None) -> None:
        self.message = message
        self.source = source
        self.deliveries = [] if delivery is None else [delivery]
        """More than one where a lost connection had the broker deliver it to us again."""
        self.started_at = datetime.now(UTC)
        self.lasted = 0.0
        """Seconds in the handler, without the wait for its turn on the loop."""
        self.progress: ProgressLine | None = None
        self.stop: Stop | None = None
        self.thread: asyncio.Future[Any] | None = None
        """Of a plain function; it may go on after the attempt has ended, by time-out or cancel."""
        self.running: asyncio.Task[Outcome] | None = None
        self.context: Task | None = None

    @property
    def fence(self) -> Fence:
        return (self.message.task_id, self.message.generation, self.message.attempt)

    def ask_to_stop(self, why: Stop) -> None:
        self.stop = self.stop or why
        if self.context is not None:
            self.context.cancel()
        if self.running is not None:
            self.running.cancel()

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
        )


async def run_attempt(
    attempt: Attempt,
    handler: Handler | None,
    task: Task,
    *,
    threads: Threads,
    timeout: timedelta,
    max_result_bytes: int,
) -> Outcome:
    """Have the handler do the task; whatever it does, this returns an outcome."""
    if handler is None:
        return Failed(
            AttemptError(
                type="NoHandler",
                message=f"This agent has no handler for tasks of type {attempt.message.task_type!r}"
                " and no default handler.",
            ),
            retryable=False,
        )
    limit = asyncio.timeout(timeout.total_seconds())
    began = time.monotonic()
    try:
        async with limit:
            if handler.asynchronous:
                result = await handler.function(task)
            else:
                attempt.thread = threads.start(handler.function, task)
                ended = await asyncio.shield(attempt.thread)
                if ended.error is not None:
                    raise ended.error
                result = ended.value
        return completed_with(result, max_bytes=max_result_bytes)
    except asyncio.CancelledError as exc:
        return _stopped(attempt.stop, exc)
    except TimeoutError as exc:
        if not limit.expired():
            return failed_with(exc)
        task.cancel()  # a function in a thread may look
        return Failed(
            AttemptError(
                type="Timeout",
                message=f"The handler took longer than the {timeout.total_seconds():g} seconds"
                " that the task allows.",
            )
        )
    except (Exception, SystemExit, GeneratorExit, KeyboardInterrupt) as exc:  # noqa: BLE001
        # Whatever a handler raises is the outcome of its task and must not end the agent.
        return failed_with(exc)
    finally:
        attempt.lasted = time.monotonic() - began


def _stopped(why: Stop | None, exc: asyncio.CancelledError) -> Outcome:
    match why:
        case Stop.CANCELLED:
            return Cancelled()
        case Stop.HURRIED:
            return Returned()
        case None:
            return failed_with(exc)  # the handler cancelled itself
