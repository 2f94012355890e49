"""Obeys the commands that coordinators send to an agent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from consumers._fetching.served_queues import ServedQueues
from consumers._working.task_executor import TaskExecutor
from coordinator.protocol.messages.agent_commands import (
    CancelTask,
    Command,
    DrainAgent,
    LeaveSource,
    RegisterAgain,
    ServeSource,
    ServeSources,
)
from coordinator.protocol.messages.registration import SourceOffer
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["CommandDispatch"]

logger = logging.getLogger(__name__)


class CommandDispatch:
    """Obeys commands for an agent with this ``profile``, which is asked for each time. ``register_again`` and
    ``drain`` are called for the commands of that name.
    """

    def __init__(
        self,
        sources: ServedQueues,
        executor: TaskExecutor,
        *,
        profile: Callable[[], Profile],
        register_again: Callable[[], None],
        drain: Callable[[], None],
    ) -> None:
        self._sources = sources
        self._executor = executor
        self._profile = profile
        self._register_again = register_again
        self._drain = drain

    def obey(self, command: Command) -> None:
        """Never raises, and returns at once: what takes longer is begun only."""
        match command:
            case ServeSources(sources=offers):
                self.serve(offers)
            case ServeSource(lane=lane, priority=priority, requirements=requirements):
                if self._profile().satisfies(Requirements.from_dict(requirements)):
                    self._sources.add(TaskQueue(lane, priority))
            case LeaveSource(lane=lane, priority=priority):
                self._sources.remove(TaskQueue(lane, priority))
            case CancelTask(task_id=task_id, generation=generation):
                self._executor.running.cancel(task_id, generation)
            case RegisterAgain():
                self._register_again()
            case DrainAgent():
                logger.info("told to drain: finishing what runs")
                self._drain()
            case _:
                logger.debug("ignored a command", extra={"command": command.TYPE})

    def serve(self, offers: Iterable[SourceOffer]) -> None:
        """None whose tasks this process has no handler for: another one may be registered by its id."""
        profile = self._profile()
        self._sources.replace(offer.source for offer in offers if offer.suits(profile))
