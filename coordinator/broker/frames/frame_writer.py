"""Writes a channel's publishes, gets and settlements: each is encoded at once, and all of one turn of
the event loop leave in one write.

The driver takes a lock, two futures, three objects and a write to the socket for each publish. What is
left of that here is a future, which `Inlet` settles when the broker answers: a third of the CPU, and a
tenth of the system calls where many publish at the same time. Nothing here waits for room in a buffer:
publishes are bounded by their window, and settlements by what is in hand.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiormq.abc import ChannelFrame
from aiormq.exceptions import ChannelInvalidStateError

from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message

from .frame_encoding import ack_frame, get_frame, nack_frame, publish_frames, reject_frame
from .frame_reader import Arrived, Inlet
from .publishing_user import PublishingUser

if TYPE_CHECKING:
    import aiormq

__all__ = ["FrameWriter"]


class FrameWriter:
    """All publishes of a channel go through here, so that their numbers are right, and all of them name
    the ``user`` who publishes.
    """

    def __init__(self, raw: aiormq.Channel, inlet: Inlet, user: PublishingUser) -> None:
        self._raw = raw
        self._user = user
        self._inlet = inlet
        self._number = 0
        self._waiting: list[bytes] = []
        self._closing = raw.closing
        self._closing.add_done_callback(self._end)
        inlet.give_back = self._give_back

    def send(
        self, message: Message, *, exchange: str, key: str, mandatory: bool
    ) -> asyncio.Future[Any]:
        """The broker's answer, or what the driver raises instead; where the channel has no confirms,
        it is done at once. Raises what the driver does on a channel that is closed.
        """
        raw = self._while_open()
        if mandatory and message.message_id is None:
            message = replace(message, message_id=new_id())  # by which a return is recognised
        frames = publish_frames(
            raw.number,
            raw.connection.connection_tune.frame_max,
            message,
            (exchange, key, mandatory),
            user=self._user.name,
        )
        answered: asyncio.Future[Any] = raw.create_future()
        if raw.publisher_confirms:
            self._number += 1
            self._inlet.unconfirmed[self._number] = answered
            if mandatory and message.message_id is not None:
                self._recognise(message.message_id, answered)
        else:
            answered.set_result(None)
        self._write_soon(frames)
        return answered

    def get(self, queue: str) -> asyncio.Future[Arrived | None]:
        """None where the queue is empty. What arrives for one that was cancelled is given back."""
        raw = self._while_open()
        asked: asyncio.Future[Arrived | None] = raw.create_future()
        self._inlet.getting.append(asked)
        self._write_soon(get_frame(raw.number, queue))
        return asked

    def ack(self, tag: int, *, multiple: bool) -> None:
        self._write_soon(ack_frame(self._while_open().number, tag, multiple=multiple))

    def nack(self, tag: int, *, multiple: bool = False) -> None:
        self._write_soon(nack_frame(self._while_open().number, tag, multiple=multiple))

    def reject(self, tag: int) -> None:
        self._write_soon(reject_frame(self._while_open().number, tag))

    def flush(self) -> None:
        """What waits for the end of this turn is handed to the driver before whatever comes next."""
        if self._waiting:
            self._write()

    def _while_open(self) -> aiormq.Channel:
        if self._raw.is_closed:
            raise ChannelInvalidStateError(f"{self._raw!r} closed")
        return self._raw

    def _give_back(self, tag: int) -> None:
        if not self._raw.is_closed:
            self.nack(tag)

    def _recognise(self, message_id: str, answered: asyncio.Future[Any]) -> None:
        mandatory = self._inlet.mandatory
        mandatory[message_id] = answered

        def forget(_: object) -> None:
            if mandatory.get(message_id) is answered:
                del mandatory[message_id]

        answered.add_done_callback(forget)

    def _write_soon(self, frames: bytes) -> None:
        self._waiting.append(frames)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        """In the driver's queue, behind what it has to send itself."""
        if not self._waiting:  # flushed before
            return
        payload = b"".join(self._waiting)
        self._waiting.clear()
        self._raw.write_queue.put_nowait(
            ChannelFrame(payload=payload, should_close=False, drain_future=None)
        )

    def _end(self, closing: asyncio.Future[Any]) -> None:
        """What waits to be answered the driver ends."""
        if not closing.cancelled():
            self._user.learn(str(closing.exception()))
