"""Coordinators without a broker: they answer what is published, as a script says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from consumers._link.answered_requests import AnsweredRequests
from consumers.agent_timings import AgentTimings, Backoff
from coordinator.errors import BrokerUnavailable
from coordinator.protocol.message import Message

__all__ = ["SOON", "ScriptedCoordinators"]

SOON = AgentTimings(
    registration_timeout=timedelta(seconds=30),
    registration_backoff=Backoff(timedelta(milliseconds=1), timedelta(milliseconds=1)),
)


class ScriptedCoordinators:
    """Answer each request with what ``script`` makes of it and of its number, from 0 on; None is the word of
    a broker that is away.
    """

    def __init__(self, script: Callable[[int, Message], Message | None]) -> None:
        self._script = script
        self._expected: dict[str, asyncio.Future[Message]] = {}
        self.asked: list[Message] = []

    @property
    def requests(self) -> AnsweredRequests:
        return AnsweredRequests(publisher=self, control=self, timings=SOON)

    async def ready(self) -> None:
        """At once."""

    async def queue(self) -> str:
        return "control"

    async def reply(self, correlation_id: str) -> Message:
        return await self._answer(correlation_id)

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        self.asked.append(message)
        answer = self._script(len(self.asked) - 1, message)
        if answer is None:
            raise BrokerUnavailable
        self._answer(message.correlation_id or "").set_result(answer)

    def _answer(self, correlation_id: str) -> asyncio.Future[Message]:
        loop = asyncio.get_running_loop()
        return self._expected.setdefault(correlation_id, loop.create_future())
