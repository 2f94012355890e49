"""Sends commands to agents, in the background and without a promise.

A command that is lost is told again when its cause shows again: an agent reports more of its ended
task, or beats with the same difference.
"""

from __future__ import annotations

import asyncio
import logging

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import Unavailable
from coordinator.protocol.messages.agent_commands import (
    CancelTask,
    Command,
    GiveAnswer,
    agent_key,
    encode_command,
)
from coordinator.protocol.topology import CONTROL
from coordinator.task_log_context import task_context

__all__ = ["CommandSender"]

logger = logging.getLogger(__name__)

MOST = 1000
"""Commands under way; beyond it more are dropped rather than kept."""


class CommandSender:
    """Publishes each command on the agent's control queue. Its user is never held up, whatever the broker
    does.
    """

    def __init__(self, publisher: PublishesMessages) -> None:
        self._publisher = publisher
        self._under_way: set[asyncio.Task[None]] = set()

    def tell(self, agent_id: str, command: Command) -> None:
        """Send it soon; it is dropped, and that logged, where the broker does not take it."""
        if len(self._under_way) >= MOST:
            logger.warning("a command was dropped", extra=_log_context(agent_id, command))
            return
        task = asyncio.create_task(self._publish(agent_id, command))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def told(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _publish(self, agent_id: str, command: Command) -> None:
        try:
            await self._publisher.publish(
                encode_command(command), exchange=CONTROL, key=agent_key(agent_id)
            )
        except Unavailable as exc:
            logger.info(
                "a command was not sent",
                extra=_log_context(agent_id, command) | {"why": str(exc)},
            )


def _log_context(agent_id: str, command: Command) -> dict[str, object]:
    fields: dict[str, object] = {"agent_id": agent_id, "command": command.TYPE}
    if isinstance(command, CancelTask | GiveAnswer):
        fields |= task_context(command.task_id)
    return fields
