"""Lets callers wait until the running service is ready, or until it has failed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn

from fastapi import FastAPI

from coordinator.api import NotesError
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.publisher import Publisher
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import OperatorError
from coordinator.metrics.metrics_page import MetricsPage
from coordinator.partial_output.output_subscriptions import PartialOutput
from coordinator.registry.queries.registry import Registry
from coordinator.submission.queue_opener import QueueOpener

from .readiness import can_submit

__all__ = ["ANSWERS_WITHIN", "Coordinator"]

ANSWERS_WITHIN = 10.0
"""Seconds after which a service that has started answers requests in any case, if only to say that it is
not ready, and why."""

POLL = 0.05
"""Seconds between two looks at whether the service is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinator:
    """A running service, as `running` yields it."""

    app: FastAPI
    page: MetricsPage | None = None
    """The metrics, for a listener of their own; None where nothing is counted."""
    note_error: NotesError | None = None
    """Counts answers that are errors and no part of ``app`` gives; None where nothing is counted."""
    registry: Registry
    publisher: Publisher
    opener: QueueOpener
    output: PartialOutput
    """What running tasks tell of themselves; nothing is heard in a projecting process."""
    types: AnnouncedTypes
    hindered: Callable[[], bool]
    """Whether it is known why no task can be submitted: the broker is away, or refuses."""
    log_is_read: Callable[[], bool] = lambda: True
    """Whether some process folds the log; always true where this one is to do so."""
    leave: Callable[[], None] = lambda: None
    """Has `GET /health/ready` say no, so that a balancer asks others."""
    stop_streams: Callable[[], None] = lambda: None
    """Ends all streams of events in good order; no other is opened then."""
    life: asyncio.Task[None]
    """Everything that runs in the background; it ends only by an error."""

    @property
    def is_ready(self) -> bool:
        """Whether a task could be submitted now."""
        return can_submit(opened=self.opener.ready, available=self.publisher.available)

    async def ready(self) -> None:
        """Wait until a task can be submitted, and the log is read. Raises what `failed` raises."""
        opened = asyncio.create_task(self._opened())
        try:
            await asyncio.wait([opened, self.life], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_and_wait(opened)
        await self._until(lambda: self.is_ready and self.log_is_read())

    async def ready_to_answer(self) -> None:
        """Wait until a task can be submitted and the log is read, or it is known why no task can be; no
        longer than `ANSWERS_WITHIN`. Raises what `failed` raises.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWERS_WITHIN):
                await self._until(lambda: (self.is_ready and self.log_is_read()) or self.hindered())

    async def agents_known(self, agent_ids: Collection[str]) -> None:
        """Wait until all of these agents are registered and active, and tasks of the types that they have
        announced go to lanes of their own.
        """
        wanted = set(agent_ids)
        await self._until(
            lambda: (
                wanted <= {one.agent_id for one in self.registry.discover(status="active")}
                and not self.types.fresh
            )
        )

    async def failed(self) -> NoReturn:
        """Wait for what the service cannot go on with, and raise it."""
        await asyncio.shield(self.life)
        raise OperatorError("The service ended by itself.")

    async def _opened(self) -> None:
        await self.publisher.ready()
        await self.opener.restored()

    async def _until(self, fact: Callable[[], bool]) -> None:
        """For facts that nothing signals, such as that another process reads the log."""
        while not fact():
            if self.life.done():
                await self.failed()
            await asyncio.sleep(POLL)
