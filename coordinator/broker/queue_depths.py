"""Reads the depths of queues by passive declares, pipelined: many questions leave together, and their answers
come together.

The driver waits for each answer before it sends the next question, which costs a way to the broker and back,
and four times the CPU, for each. An agent that looks at 25 queues before every task cannot afford that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from aiormq.abc import ChannelFrame
from pamqp import commands

from coordinator.errors import BrokerUnavailable, QueueMissing, QueueRefused

from .channel import Channel, Depth
from .connection import Link
from .driver_errors import translated

if TYPE_CHECKING:
    import aiormq

__all__ = ["QueueDepths", "depths"]

PIPELINED = 50
"""Queues that are asked together. More would keep a coordinator's other work waiting."""


class QueueDepths:
    """Looks at queues over the ``link`` of the moment, on a channel that is used for nothing else, so that a
    slow look delays nothing. One look at a time.
    """

    def __init__(
        self,
        link: Callable[[], Link | None],
        *,
        refused: Callable[[str, QueueRefused], None] | None = None,
    ) -> None:
        """``refused`` is called with each queue that this user may not look at, which then counts as one that
        does not exist; without it, that is raised.
        """
        self._link = link
        self._refused = refused
        self._channel: Channel | None = None
        self._lock = asyncio.Lock()

    async def look(self, queues: Iterable[str]) -> dict[str, Depth | None]:
        """The depth of each queue, None for one that does not exist. Raises `BrokerUnavailable`,
        or `QueueRefused`.
        """
        found: dict[str, Depth | None] = {}
        asked = list(queues)
        async with self._lock:
            for start in range(0, len(asked), PIPELINED):
                found |= await self._together(asked[start : start + PIPELINED])
        return found

    async def _together(self, queues: Sequence[str]) -> dict[str, Depth | None]:
        try:
            found = await depths(await self._open(), queues)
        except (QueueMissing, QueueRefused):
            return {queue: await self._alone(queue) for queue in queues}
        except BaseException:
            self._channel = None  # answers may still come on it
            raise
        return dict(zip(queues, found, strict=True))

    async def _alone(self, queue: str) -> Depth | None:
        """To learn which one is missing: each that is closes the channel."""
        try:
            return await (await self._open()).depth(queue)
        except QueueMissing:
            return None
        except QueueRefused as exc:
            if self._refused is None:
                raise
            self._refused(queue, exc)
            return None

    async def _open(self) -> Channel:
        if self._channel is None or not self._channel.open:
            link = self._link()
            if link is None:
                raise BrokerUnavailable
            self._channel = await link.channel()
        return self._channel


async def depths(channel: Channel, queues: Sequence[str]) -> list[Depth]:
    """The depth of each of ``queues``, in their order; see `Channel.depth`.

    Raises `QueueMissing` where one does not exist. Whatever it raises, and where it is cancelled,
    ``channel`` must not be used again: answers may still be under way on it.
    """
    raw: aiormq.Channel = channel._raw  # noqa: SLF001 - the driver's, for this package
    timeout = channel._answer_timeout  # noqa: SLF001
    with translated(f"looking at {len(queues)} queues"):
        async with asyncio.timeout(timeout):
            # A task of the driver's, which it ends when the channel is lost.
            found: list[Depth] = await raw.create_task(_ask(raw, queues))
    return found


async def _ask(raw: aiormq.Channel, queues: Sequence[str]) -> list[Depth]:
    frames = [commands.Queue.Declare(queue=queue, passive=True) for queue in queues]
    found: list[Depth] = []
    async with raw.lock:
        await raw.write_queue.put(ChannelFrame.marshall(raw.number, frames))
        for _ in queues:
            answer = await raw.rpc_frames.get()
            raw.rpc_frames.task_done()
            found.append(Depth(answer.message_count or 0, answer.consumer_count or 0))
    return found
