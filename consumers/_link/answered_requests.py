"""Asks coordinators for something until one answers: publishes a request, and waits for the answer to it.

asked ─▶ answered
  ▲  │ no answer in time, none that can be used, or the link was lost: the request or the answer may be
  └──┘ asked again, and the rarer the longer it takes
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import ValidationError

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.topology import EVENTS

from ..agent_timings import DEFAULT_TIMINGS, AgentTimings

__all__ = [
    "AnsweredRequests",
    "AskedOfCoordinators",
    "HearsReplies",
    "PublishesRequests",
    "Request",
]

Answer = TypeVar("Answer")
AnswerOut_co = TypeVar("AnswerOut_co", covariant=True)


class PublishesRequests(PublishesMessages, Protocol):
    """Publishes, once it can: `coordinator.broker.publisher.Publisher`."""

    async def ready(self) -> None:
        """Waits until there is a channel to publish on."""
        ...


class HearsReplies(Protocol):
    """Hears the replies to requests: `control_queue.ControlQueue`."""

    async def queue(self) -> str:
        """Where they come; waits until there is a queue."""
        ...

    async def reply(self, correlation_id: str) -> Message:
        """Waits for the reply to one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Is what is published, and where."""

    type: str
    body: bytes
    key: str
    exchange: str = EVENTS
    headers: Mapping[str, str] = field(default_factory=dict)


class AskedOfCoordinators(Protocol[AnswerOut_co]):
    """Is asked for, as often as it takes."""

    def request(self) -> Request:
        """Called each time, right before it is published. What it raises ends the asking."""
        ...

    def read(self, answer: Message) -> AnswerOut_co:
        """Raises `ValidationError` or `Unavailable` for what counts as no answer; what else it raises ends
        the asking.
        """
        ...

    def unanswered(self, why: str | None, *, before: int) -> None:
        """Called each time, with how often it went unanswered before. ``why`` None: nothing came in time."""
        ...


class AnsweredRequests:
    """Waits for each answer, and pauses before it asks again, as ``timings`` say of a registration."""

    def __init__(
        self,
        *,
        publisher: PublishesRequests,
        control: HearsReplies,
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._publisher = publisher
        self._control = control
        self._timeout = timings.registration_timeout
        self._backoff = timings.registration_backoff
        self._rng = rng or random.Random()

    async def answer_to(self, asked: AskedOfCoordinators[Answer]) -> Answer:
        """However long no coordinator answers. Raises `MessageTooLarge`, and what ``asked`` raises."""
        pause, longest = self._backoff.first.total_seconds(), self._backoff.longest.total_seconds()
        before = 0
        while True:
            why: str | None = None
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    return await self._ask(asked)
            except TimeoutError:
                pass
            except Unavailable as exc:
                why = str(exc)
            except ValidationError as exc:
                why = f"the answer cannot be read: {exc}"
            asked.unanswered(why, before=before)
            before += 1
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)

    async def _ask(self, asked: AskedOfCoordinators[Answer]) -> Answer:
        queue = await self._control.queue()
        await self._publisher.ready()
        correlation_id = new_id()
        request = asked.request()
        reply = asyncio.ensure_future(self._control.reply(correlation_id))
        try:
            await self._publisher.publish(
                Message(
                    body=request.body,
                    message_id=correlation_id,
                    type=request.type,
                    correlation_id=correlation_id,
                    reply_to=queue,
                    expiration=self._timeout,
                    headers=dict(request.headers),
                ),
                exchange=request.exchange,
                key=request.key,
                mandatory=True,
            )
            return asked.read(await reply)
        finally:
            reply.cancel()
