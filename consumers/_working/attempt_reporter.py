"""Publishes the events of attempts through the event publisher, and counts their outcomes."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import TypedDict

from coordinator.protocol.messages.events import (
    TaskAsked,
    TaskDeclined,
    TaskProgressed,
    TaskResumed,
    TaskStarted,
)

from .._handling.answer_wait import AsksPeople
from .._values.asked_question import AskedQuestion
from .._values.attempt_log_context import task_context
from ..outcome import Completed, Failed, event_of
from ..task import Progress
from .attempt import Attempt
from .event_publisher import EventPublisher

__all__ = ["AttemptReporter"]

logger = logging.getLogger(__name__)


class _Head(TypedDict):
    """Names the attempt that an event is about, its agent, and the proof that it was given the task."""

    task_id: str
    generation: int
    attempt: int
    agent_id: str
    crashes: int | None
    task_token: str


class AttemptReporter:
    """Reports attempts as one process of an agent: ``instance`` of ``agent_id``."""

    def __init__(
        self, event_publisher: EventPublisher[Attempt], *, agent_id: str, instance: str
    ) -> None:
        self._event_publisher = event_publisher
        self._agent_id = agent_id
        self._instance = instance
        event_publisher.on_result_refused = self._result_refused
        self.completed = 0
        self.failed = 0

    def context(self, attempt: Attempt) -> dict[str, object]:
        """The fields of a log line about it."""
        return task_context(
            attempt.message.task_id,
            task_type=attempt.message.task_type,
            attempt=attempt.message.attempt,
            agent_id=self._agent_id,
            trace=attempt.trace,
        )

    def started(self, attempt: Attempt) -> None:
        """Publish `task.started`."""
        self._event_publisher.put(
            TaskStarted(
                **self._head(attempt),
                instance=self._instance,
            ),
            trace=attempt.trace,
        )

    def progressed(self, attempt: Attempt, progress: Progress) -> None:
        """Publish `task.progressed`."""
        self._event_publisher.put(
            TaskProgressed(
                **self._head(attempt),
                fraction=progress.fraction,
                message=progress.message,
            ),
            trace=attempt.trace_within,
        )

    def declined(self, attempt: Attempt) -> None:
        """Have a coordinator put it on its queue again: no handler of this agent knows its type."""
        message = attempt.message
        logger.warning("given back: no handler for this type", extra=self.context(attempt))
        self._event_publisher.put(
            TaskDeclined(
                **self._head(attempt),
                task_type=message.task_type,
                republished=message.republished or 0,
            ),
            receipt=attempt,
            trace=attempt.trace,
        )

    def people(self, attempt: Attempt) -> AsksPeople:
        """By whom the handler of an attempt asks people."""
        return AsksPeople(partial(self.asked, attempt), partial(self.resumed, attempt))

    def asked(self, attempt: Attempt, asked: AskedQuestion, repeated: int = 0) -> None:
        """Publish `task.asked`; the message is acknowledged for it where the attempt ends with that."""
        self._event_publisher.put(
            TaskAsked(
                **self._head(attempt),
                question_id=asked.question_id,
                question=asked.question,
                answer_schema=asked.answer_schema,
                timeout_seconds=asked.timeout,
                release=asked.release,
                repeated=repeated,
            ),
            receipt=attempt if asked.release else None,
            trace=attempt.trace_within,
        )

    def resumed(self, attempt: Attempt, asked: AskedQuestion) -> None:
        """Publish `task.resumed`: it goes on without an answer."""
        self._event_publisher.put(
            TaskResumed(
                **self._head(attempt),
                question_id=asked.question_id,
            ),
            trace=attempt.trace_within,
        )

    def ended(self, attempt: Attempt, outcome: Completed | Failed) -> None:
        """Publish `task.completed` or `task.failed`, with the attempt as the receipt, and log a failure."""
        event = event_of(
            outcome,
            attempt.message,
            agent_id=self._agent_id,
            duration=timedelta(seconds=attempt.lasted),
            crashes=attempt.crashes,
        )
        trace = attempt.trace_within
        if isinstance(outcome, Completed):
            self.completed += 1
            self._event_publisher.put(event, size=outcome.size, receipt=attempt, trace=trace)
            return
        self.failed += 1
        self._event_publisher.put(event, receipt=attempt, trace=trace)
        # Logged after it is told: a handler's logging may raise anything.
        logger.warning(
            "task failed", extra=self.context(attempt) | {"error": outcome.error.message}
        )

    def _head(self, attempt: Attempt) -> _Head:
        """What every event about it says."""
        message = attempt.message
        return {
            "task_id": message.task_id,
            "generation": message.generation,
            "attempt": message.attempt,
            "agent_id": self._agent_id,
            "crashes": attempt.crashes,
            "task_token": message.task_token,
        }

    def _result_refused(self) -> None:
        """By the broker, which does not take so much: the attempt failed."""
        self.completed -= 1
        self.failed += 1
