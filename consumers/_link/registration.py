"""Registers an agent with a coordinator, and again whenever that is needed."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from coordinator.errors import RegistrationRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.registration import (
    REGISTER,
    RegisterReply,
    RegisterRequest,
    request_key,
)
from coordinator.protocol.reference_clock import ReferenceClock
from coordinator.protocol.topology import EVENTS, REQUESTS

from .answered_requests import AnsweredRequests, Request
from .control_queue import ControlQueue

__all__ = ["Registration"]

logger = logging.getLogger(__name__)


class Registration:
    """Asks to be registered. ``describe`` makes what the agent says of itself, each time; ``on_reply`` is
    called with each accepted reply, and when it was asked for by the loop's clock.
    """

    def __init__(
        self,
        describe: Callable[[], RegisterRequest],
        *,
        requests: AnsweredRequests,
        control: ControlQueue,
        clock: ReferenceClock,
        on_reply: Callable[[RegisterReply, float], None],
    ) -> None:
        self._describe = describe
        self._requests = requests
        self._control = control
        self._clock = clock
        self._on_reply = on_reply
        self._asked = -math.inf
        """By the loop's clock, when the request of this moment was begun."""
        self._asked_at: datetime | None = None
        """The same by the agent's clock."""
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
            reply = await self._requests.answer_to(self)
            if reply.error is not None:
                raise RegistrationRefused(f"The coordinator refuses this agent: {reply.error}")
            self._needed.clear()
            logger.info("registered", extra={"sources": len(reply.sources)})
            self._on_reply(reply, self._asked)
            self.done.set()

    # --- as one that is asked of coordinators -------------------------------------------------------

    def request(self) -> Request:
        body = self._describe()
        self._asked, self._asked_at = asyncio.get_running_loop().time(), self._clock.own()
        exchange, key = self._way(body.agent_id)
        return Request(
            type=REGISTER,
            body=body.model_dump_json(exclude_none=True).encode(),
            exchange=exchange,
            key=key,
        )

    def read(self, answer: Message) -> RegisterReply:
        reply = RegisterReply.model_validate_json(answer.body)
        if reply.coordinator_time is not None and self._asked_at is not None:
            self._clock.compare(reply.coordinator_time, asked_at=self._asked_at)
        return reply

    def unanswered(self, why: str | None, *, before: int) -> None:
        self._unanswered += 1
        if not before:
            logger.warning("waiting to be registered: %s", why or self._why_silent())

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
