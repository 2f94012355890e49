"""Many questions in one breath: their frames leave together, and their answers come together.

The driver waits for each answer before it sends the next question, which costs a way to the broker
and back, and four times the CPU, for each. An agent that looks at 25 queues before every task
cannot afford that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiormq.abc import ChannelFrame
from pamqp import commands

from .channel import ANSWER_TIMEOUT, Channel, Depth
from .driver_errors import translated

if TYPE_CHECKING:
    import aiormq

__all__ = ["depths"]


async def depths(channel: Channel, queues: Sequence[str]) -> list[Depth]:
    """The depth of each of ``queues``, in their order; see `Channel.depth`.

    Raises `QueueMissing` where one does not exist. Whatever it raises, and where it is cancelled,
    ``channel`` must not be used again: answers may still be under way on it.
    """
    raw: aiormq.Channel = channel._raw  # noqa: SLF001 - the driver's, for this package
    with translated(f"looking at {len(queues)} queues"):
        async with asyncio.timeout(ANSWER_TIMEOUT):
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
