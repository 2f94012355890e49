"""The service, which kills itself with SIGKILL at one step of the retry of one task.

KILL_AT names the step, KILL_TASK the task; the rest is the command line of `coordinator`.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from coordinator.broker.publisher import Publisher
from coordinator.commands import cli
from coordinator.domain.transitions.effects import PublishAt
from coordinator.registry.projection.projector import Projector
from coordinator.registry.stores.outbox_rows import OutboxRows

__all__ = ["STEPS"]

Method = Callable[..., Awaitable[Any]]

TASK = os.environ.get("KILL_TASK", "")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def folded() -> None:
    """The retry is in the outbox, and its log not acknowledged."""
    tell = Projector._tell

    def killed(self: Projector, stored: Any, readings: Any) -> None:
        if any(isinstance(one, PublishAt) and one.task_id == TASK for one in stored.effects):
            kill()
        tell(self, stored, readings)

    setattr(Projector, "_tell", killed)  # noqa: B010


def before(owner: type, name: str, is_it: Callable[..., bool]) -> None:
    method: Method = getattr(owner, name)

    @functools.wraps(method)
    async def killed(self: Any, *given: Any, **named: Any) -> Any:
        if is_it(*given):
            kill()
        return await method(self, *given, **named)

    setattr(owner, name, killed)


def after(owner: type, name: str, is_it: Callable[..., bool]) -> None:
    method: Method = getattr(owner, name)

    @functools.wraps(method)
    async def killed(self: Any, *given: Any, **named: Any) -> Any:
        result = await method(self, *given, **named)
        if is_it(*given, result):
            kill()
        return result

    setattr(owner, name, killed)


def sent() -> None:
    """The retry's message is written to the socket, and not answered."""
    publish = Publisher.publish

    async def killed(self: Publisher, message: Any, **where: Any) -> None:
        publishing = asyncio.ensure_future(publish(self, message, **where))
        if message.message_id == f"{TASK}.1.2":
            for _ in range(4):
                await asyncio.sleep(0)
            kill()
        await publishing

    setattr(Publisher, "publish", killed)  # noqa: B010


def names_it(*lists: Any) -> bool:
    return any(one.task_id == TASK for ones in lists for one in ones or ())


STEPS: dict[str, Callable[[], None]] = {
    "due": lambda: before(OutboxRows, "lease", lambda: True),
    "folded": folded,
    "leased": lambda: after(OutboxRows, "lease", names_it),
    "sent": sent,
    "confirmed": lambda: before(OutboxRows, "done", names_it),
    "marked": lambda: after(OutboxRows, "done", names_it),
}
"""What arms each. `due` kills at whatever is due, so nothing else may be."""


if __name__ == "__main__":
    STEPS[os.environ["KILL_AT"]]()
    sys.exit(cli.main(sys.argv[1:]))
