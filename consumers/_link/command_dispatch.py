"""Obeys the commands that coordinators send to an agent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from coordinator.protocol.messages.agent_commands import (
    CancelTask,
    Command,
    DrainAgent,
    GiveAnswer,
    LeaveSource,
    RegisterAgain,
    ServeSource,
    ServeSources,
)
from coordinator.protocol.messages.registration import SourceOffer
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue

from .._fetching.served_queues import ServedQueues
from .._working.task_executor import TaskExecutor

__all__ = ["CommandDispatch"]

logger = logging.getLogger(__name__)


class CommandDispatch:
    """Obeys commands for an agent with this ``profile``, which is asked for each time. ``register_again`` and
    ``drain`` are called for the commands of that name. ``beat_at`` tells when the agent's last heartbeat was
    made, by the clock of ``sources``: a list of all queues is an answer to one.
    """

    def __init__(
        self,
        sources: ServedQueues,
        executor: TaskExecutor,
        *,
        profile: Callable[[], Profile],
        register_again: Callable[[], None],
        drain: Callable[[], None],
        beat_at: Callable[[], float],
    ) -> None:
        self._sources = sources
        self._executor = executor
        self._profile = profile
        self._register_again = register_again
        self._drain = drain
        self._beat_at = beat_at

    def obey(self, command: Command) -> None:
        """Never raises, and returns at once: what takes longer is begun only."""
        match command:
            case ServeSources(sources=offers):
                self.serve(offers, as_of=self._beat_at())
            case ServeSource(lane=lane, priority=priority, requirements=requirements):
                if self._profile().satisfies(Requirements.from_dict(requirements)):
                    self._sources.add(TaskQueue(lane, priority))
            case LeaveSource(lane=lane, priority=priority):
                self._sources.remove(TaskQueue(lane, priority))
            case CancelTask(task_id=task_id, generation=generation):
                self._executor.running.cancel(task_id, generation)
            case GiveAnswer():
                self._executor.running.give_answer(
                    command.task_id, command.generation, command.given()
                )
            case RegisterAgain():
                self._register_again()
            case DrainAgent():
                logger.info("told to drain: finishing what runs")
                self._drain()
            case _:
                logger.debug("ignored a command", extra={"command": command.TYPE})

    def serve(self, offers: Iterable[SourceOffer], *, as_of: float) -> None:
        """Take from what is offered, as it was at ``as_of`` or later (`ServedQueues.replace`), but from none
        whose tasks this process has no handler for: another one may be registered by its id.
        """
        profile = self._profile()
        suitable = (offer.source for offer in offers if offer.suits(profile))
        self._sources.replace(suitable, as_of=as_of)
