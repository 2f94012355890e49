"""Has a coordinator submit the follow-up tasks that handlers ask for, and waits for its answers.

asked ─▶ answered: the task is there, or refused with a sentence
  ▲  │ no answer in time, or the link was lost: the request or the answer may be
  └──┘ asked again, under the same id, so that it is one task however often
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Protocol

from pydantic import ValidationError

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import MessageTooLarge, Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_requests.follow_up import (
    SUBMIT_TASK,
    FollowUpReply,
    FollowUpRequest,
    follow_up_key,
)
from coordinator.protocol.topology import EVENTS

from .._values.follow_up_wish import FollowUp, FollowUpWish, SubmissionRefused
from .._working.attempt import Attempt
from ..agent_timings import DEFAULT_TIMINGS, AgentTimings

__all__ = ["FollowUpRequests", "HearsReplies"]

logger = logging.getLogger(__name__)


class HearsReplies(Protocol):
    """Hears the replies to requests: `control_queue.ControlQueue`."""

    async def queue(self) -> str:
        """Where they come; waits until there is a queue."""
        ...

    async def reply(self, correlation_id: str) -> Message:
        """Waits for the reply to one."""
        ...


class FollowUpRequests:
    """Asks for all attempts of one agent; how long it waits and pauses is as for a registration."""

    def __init__(
        self,
        agent_id: str,
        *,
        publisher: PublishesMessages,
        control: HearsReplies,
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._agent_id = agent_id
        self._publisher = publisher
        self._control = control
        self._timeout = timings.registration_timeout
        self._backoff = timings.registration_backoff
        self._rng = rng or random.Random()

    async def submit(self, attempt: Attempt, wish: FollowUpWish) -> FollowUp:
        """Return once the broker has the task, however long no coordinator answers. Raises
        `SubmissionRefused`.
        """
        reply = await self._obtain(attempt, wish)
        if reply.error is not None:
            raise SubmissionRefused(reply.error, retry_after=reply.retry_after_seconds)
        if reply.task_id is None or reply.priority is None or reply.submitted_at is None:
            raise SubmissionRefused("the coordinator's answer names no task")
        return FollowUp(id=reply.task_id, priority=reply.priority, submitted_at=reply.submitted_at)

    async def _obtain(self, attempt: Attempt, wish: FollowUpWish) -> FollowUpReply:
        first, longest = self._backoff.first.total_seconds(), self._backoff.longest.total_seconds()
        pause = first
        while True:
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    return await self._ask(attempt, wish)
            except MessageTooLarge as exc:
                raise SubmissionRefused(str(exc)) from exc
            except TimeoutError:
                why = "no coordinator answers"
            except Unavailable as exc:
                why = str(exc)
            except ValidationError as exc:
                why = f"the answer cannot be read: {exc}"
            if pause == first:
                context = {"task_id": attempt.message.task_id, "why": why}
                logger.warning("a follow-up task is not submitted yet: asking again", extra=context)
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)

    async def _ask(self, attempt: Attempt, wish: FollowUpWish) -> FollowUpReply:
        queue = await self._control.queue()
        correlation_id = new_id()
        trace = attempt.trace_within
        reply = asyncio.ensure_future(self._control.reply(correlation_id))
        try:
            await self._publisher.publish(
                Message(
                    body=self._request(attempt, wish).model_dump_json().encode(),
                    message_id=correlation_id,
                    type=SUBMIT_TASK,
                    correlation_id=correlation_id,
                    reply_to=queue,
                    expiration=self._timeout,
                    headers={} if trace is None else trace.headers(),
                ),
                exchange=EVENTS,
                key=follow_up_key(self._agent_id),
                mandatory=True,
            )
            return FollowUpReply.model_validate_json((await reply).body)
        finally:
            reply.cancel()

    def _request(self, attempt: Attempt, wish: FollowUpWish) -> FollowUpRequest:
        message = attempt.message
        return FollowUpRequest(
            task_id=message.task_id,
            generation=message.generation,
            attempt=message.attempt,
            crashes=attempt.crashes or 0,
            task_token=message.task_token,
            agent_id=self._agent_id,
            request_id=wish.request_id,
            submission=wish.submission,
            cancel_with_parent=wish.cancel_with_parent,
        )
