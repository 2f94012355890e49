"""Registers an agent with a coordinator, and again whenever that is needed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import NoReturn

from pydantic import ValidationError

from coordinator.broker.publisher import Publisher
from coordinator.errors import RegistrationRefused, Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.messages.registration import (
    REGISTER,
    RegisterReply,
    RegisterRequest,
    request_key,
)
from coordinator.protocol.reference_clock import ReferenceClock
from coordinator.protocol.topology import EVENTS, REQUESTS

from ..agent_timings import DEFAULT_TIMINGS, AgentTimings
from .control_queue import ControlQueue

__all__ = ["Registration"]

logger = logging.getLogger(__name__)


class Registration:
    """Asks to be registered. ``request`` makes what the agent says of itself, each time; ``on_reply`` is
    called with each accepted reply, and when it was asked for by the loop's clock.
    """

    def __init__(
        self,
        request: Callable[[], RegisterRequest],
        *,
        publisher: Publisher,
        control: ControlQueue,
        clock: ReferenceClock,
        on_reply: Callable[[RegisterReply, float], None],
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._request = request
        self._publisher = publisher
        self._control = control
        self._clock = clock
        self._on_reply = on_reply
        self._timeout = timings.registration_timeout
        self._backoff = timings.registration_backoff
        self._rng = rng or random.Random()
        self._unanswered = 0
        self._needed = asyncio.Event()
        self._needed.set()
        self.done = asyncio.Event()
        """Set once a coordinator has accepted this agent."""

    def again(self) -> None:
        """Register once more, as soon as a coordinator answers."""
        self._needed.set()

    async def run(self) -> NoReturn:
        """Register whenever it is needed. Raises `RegistrationRefused`."""
        while True:
            await self._needed.wait()
            reply, asked = await self._obtain()
            if reply.error is not None:
                raise RegistrationRefused(f"The coordinator refuses this agent: {reply.error}")
            self._needed.clear()
            logger.info("registered", extra={"sources": len(reply.sources)})
            self._on_reply(reply, asked)
            self.done.set()

    async def _obtain(self) -> tuple[RegisterReply, float]:
        first, longest = self._backoff.first.total_seconds(), self._backoff.longest.total_seconds()
        pause = first
        while True:
            asked = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    return await self._ask(), asked
            except TimeoutError:
                why = self._why_silent()
            except Unavailable as exc:
                why = str(exc)
            except ValidationError as exc:
                why = f"the reply cannot be read: {exc}"
            self._unanswered += 1
            if pause == first:
                logger.warning("waiting to be registered: %s", why)
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)

    def _why_silent(self) -> str:
        """Where the broker has refused a request, or the queue for the answer, no coordinator could."""
        refused = self._control.refused
        if refused is not None:
            return str(refused)
        return "no coordinator answers (of one that runs, GET /health tells whom it refuses)"

    def _way(self, agent_id: str) -> tuple[str, str]:
        """Exchange and key of the next request. A coordinator of before takes none by the events' exchange:
        every other one goes the old way, where the agent has declared its control queue as that one expects.
        """
        if self._control.declared and self._unanswered % 2 == 1:
            return "", REQUESTS
        return EVENTS, request_key(agent_id)

    async def _ask(self) -> RegisterReply:
        queue = await self._control.queue()
        await self._publisher.ready()
        request = self._request()
        correlation_id = new_id()
        asked_at = self._clock.own()
        exchange, key = self._way(request.agent_id)
        reply = asyncio.ensure_future(self._control.reply(correlation_id))
        try:
            await self._publisher.publish(
                Message(
                    body=request.model_dump_json(exclude_none=True).encode(),
                    message_id=correlation_id,
                    type=REGISTER,
                    correlation_id=correlation_id,
                    reply_to=queue,
                    expiration=self._timeout,
                ),
                exchange=exchange,
                key=key,
                mandatory=True,
            )
            answer = RegisterReply.model_validate_json((await reply).body)
        finally:
            reply.cancel()
        if answer.coordinator_time is not None:
            self._clock.compare(answer.coordinator_time, asked_at=asked_at)
        return answer
