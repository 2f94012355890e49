"""Has a coordinator submit the follow-up tasks that handlers ask for, once however often it is asked."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import coordinator
from coordinator.errors import MessageTooLarge, Unavailable
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_requests.follow_up import (
    SUBMIT_TASK,
    FollowUpReply,
    FollowUpRequest,
    follow_up_key,
)

from .._values.follow_up_wish import FollowUp, FollowUpWish, SubmissionRefused
from .._working.attempt import Attempt
from ..agent_timings import DEFAULT_TIMINGS, AgentTimings
from .answered_requests import AnsweredRequests, Request

__all__ = ["FollowUpRequests"]

logger = logging.getLogger(__name__)

NEEDED = f"follow-up tasks need coordinators of version {coordinator.__version__} or later"


class FollowUpRequests:
    """Asks for all attempts of one agent."""

    def __init__(
        self,
        agent_id: str,
        *,
        requests: AnsweredRequests,
        timings: AgentTimings = DEFAULT_TIMINGS,
    ) -> None:
        self._agent_id = agent_id
        self._requests = requests
        self._patience = timings.update_patience

    async def submit(self, attempt: Attempt, wish: FollowUpWish) -> FollowUp:
        """Return once the broker has the task, however long no coordinator answers. Raises
        `SubmissionRefused`.
        """
        asked = _AskedFollowUp(self._agent_id, attempt, wish, patience=self._patience)
        try:
            reply = await self._requests.answer_to(asked)
        except MessageTooLarge as exc:
            raise SubmissionRefused(str(exc)) from exc
        if reply.error is not None:
            raise SubmissionRefused(reply.error, retry_after=reply.retry_after_seconds)
        if reply.task_id is None or reply.priority is None or reply.submitted_at is None:
            raise SubmissionRefused("the coordinator's answer names no task")
        return FollowUp(id=reply.task_id, priority=reply.priority, submitted_at=reply.submitted_at)


class _AskedFollowUp:
    """Is one follow-up task, as it is asked of coordinators.

    A coordinator of before may answer that it does not know such a request, in the form of another. During
    an update the next one that is asked may know it.
    """

    def __init__(
        self, agent_id: str, attempt: Attempt, wish: FollowUpWish, *, patience: timedelta
    ) -> None:
        self._agent_id = agent_id
        self._attempt = attempt
        self._wish = wish
        self._patience = patience.total_seconds()
        self._unknown_since: float | None = None
        """By the loop's clock, when a coordinator said first that it does not know the request."""

    def request(self) -> Request:
        message, trace = self._attempt.message, self._attempt.trace_within
        body = FollowUpRequest(
            task_id=message.task_id,
            generation=message.generation,
            attempt=message.attempt,
            crashes=self._attempt.crashes or 0,
            task_token=message.task_token,
            agent_id=self._agent_id,
            request_id=self._wish.request_id,
            submission=self._wish.submission,
            cancel_with_parent=self._wish.cancel_with_parent,
        )
        return Request(
            type=SUBMIT_TASK,
            body=body.model_dump_json().encode(),
            key=follow_up_key(self._agent_id),
            headers={} if trace is None else trace.headers(),
        )

    def read(self, answer: Message) -> FollowUpReply:
        """Raises `SubmissionRefused` where the patience with coordinators of before is over."""
        if answer.type == SUBMIT_TASK:
            return FollowUpReply.model_validate_json(answer.body)
        now = asyncio.get_running_loop().time()
        if self._unknown_since is None:
            self._unknown_since = now
        if now - self._unknown_since < self._patience:
            raise Unavailable(f"a coordinator does not know the request: {NEEDED}")
        raise SubmissionRefused(
            f"No coordinator here knows the request {SUBMIT_TASK!r}: {NEEDED}. Update them",
            retry_after=self._patience,
        )

    def unanswered(self, why: str | None, *, before: int) -> None:
        if before:
            return
        logger.warning(
            "a follow-up task is not submitted yet: asking again",
            extra={
                "task_id": self._attempt.message.task_id,
                "why": why or f"no coordinator answers ({NEEDED})",
            },
        )
