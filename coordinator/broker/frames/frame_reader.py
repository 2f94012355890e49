"""Reads messages and confirms, which the broker sends most, straight from the socket.

The driver reads each frame in three steps, makes objects of it, hands it over through two queues and
starts a task for each delivery, which costs more than whatever is done with the delivery. Here its bytes
become a message as they arrive, and whoever waits for it is called at once. All other frames go to the
driver untouched, and in their order.

    socket ─▶ FrameReader ─┬─ messages, and answers to publishes, of channels that have an inlet ─▶ Inlet
                      └─ everything else ─▶ the driver's reader
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Callable, Iterable
from ssl import SSLContext
from typing import Any, NamedTuple, SupportsIndex

from aiormq.connection import TransportFactory
from yarl import URL

from coordinator.errors import PublishNacked, PublishRefused
from coordinator.protocol.message import Message

from .frame_decoding import read_message, read_short

__all__ = ["Arrived", "FrameReader", "Inlet", "QuickTransport"]

logger = logging.getLogger(__name__)

_frame = struct.Struct(">BHI")
_kind = struct.Struct(">I")
_size = struct.Struct(">Q")
_tag = struct.Struct(">QB")

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_KINDS = frozenset({_METHOD, _HEADER, _BODY, _HEARTBEAT})

_DELIVER, _GET_OK, _GET_EMPTY, _RETURN, _ACK, _NACK = (
    60 << 16 | method for method in (60, 71, 72, 50, 80, 120)
)

_SIGN_OF_LIFE = b"\x08\x00\x00\x00\x00\x00\x00\xce"
"""A heartbeat."""

SIGN_OF_LIFE_EVERY = 1.0
"""Seconds after which the driver, which takes silence for a lost connection, is told that there was
something; the broker sends no heartbeats of its own while it sends other things."""


class Arrived(NamedTuple):
    """A message as it was handed to a channel."""

    message: Message
    exchange: str
    routing_key: str
    redelivered: bool
    tag: int


class Inlet:
    """Holds what one channel has asked for, and the message that is being read."""

    def __init__(self) -> None:
        self.consumers: dict[str, Callable[[Arrived], None]] = {}
        """By their tags."""
        self.getting: deque[asyncio.Future[Arrived | None]] = deque()
        """In the order in which they were asked, which is that of the answers."""
        self.give_back: Callable[[int], None] = _no_matter
        """Told the tag of a message whose asker did not wait for it."""
        self.unconfirmed: dict[int, asyncio.Future[Any]] = {}
        """Publishes by their numbers, in order."""
        self.mandatory: dict[str, asyncio.Future[Any]] = {}
        """Those that the broker may return, by message id."""
        self._finish: Callable[[Message], None] | None = None
        self._header = b""
        self._parts: list[bytes] = []
        self._left = 0

    def take(self, kind: int, payload: bytes) -> bool:
        """Whether the frame is for this inlet; it is done with then."""
        if kind == _METHOD:
            return self._method(payload)
        if self._finish is None:
            return False
        if kind == _HEADER:
            self._header = payload
            (self._left,) = _size.unpack_from(payload, 4)
        else:
            self._parts.append(payload)
            self._left -= len(payload)
        if self._left <= 0:
            finish, self._finish = self._finish, None
            body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts.clear()
            finish(read_message(self._header, body))
        return True

    def _method(self, payload: bytes) -> bool:
        (method,) = _kind.unpack_from(payload)
        if method == _DELIVER:
            self._finish = self._delivery(payload)
        elif method in (_ACK, _NACK):
            number, bits = _tag.unpack_from(payload, 4)
            self._answered(number, multiple=bool(bits & 1), refused=method == _NACK)
        elif method == _GET_OK and self.getting:
            self._finish = self._got(payload, self.getting.popleft())
        elif method == _GET_EMPTY and self.getting:
            asked = self.getting.popleft()
            if not asked.done():
                asked.set_result(None)
        elif method == _RETURN:
            text, _ = read_short(payload, 6)
            self._finish = lambda message: self._returned(message, text)
        else:
            self._finish = None
            return False
        return True

    def _delivery(self, payload: bytes) -> Callable[[Message], None]:
        consumer_tag, at = read_short(payload, 4)
        way = _way(payload, at)

        def deliver(message: Message) -> None:
            consumer = self.consumers.get(consumer_tag)
            if consumer is None:  # cancelled: the broker takes the message back with the channel
                return
            try:
                consumer(Arrived(message, *way))
            except Exception:
                logger.exception("a consumer failed", extra={"consumer": consumer_tag})

        return deliver

    def _got(
        self, payload: bytes, asked: asyncio.Future[Arrived | None]
    ) -> Callable[[Message], None]:
        way = _way(payload, 4)

        def hand_over(message: Message) -> None:
            arrived = Arrived(message, *way)
            if asked.done():
                self.give_back(arrived.tag)
            else:
                asked.set_result(arrived)

        return hand_over

    def _answered(self, number: int, *, multiple: bool, refused: bool) -> None:
        if not multiple:
            numbers = [number]
        else:
            numbers = []
            for one in self.unconfirmed:
                if one > number:
                    break
                numbers.append(one)
        for one in numbers:
            answered = self.unconfirmed.pop(one, None)
            if answered is None or answered.done():  # returned before, or its channel is closing
                continue
            if refused:
                answered.set_exception(PublishNacked())
            else:
                answered.set_result(None)

    def _returned(self, message: Message, text: str) -> None:
        answered = self.mandatory.get(message.message_id or "")
        if answered is not None and not answered.done():
            answered.set_exception(PublishRefused(f"The broker refused the message: {text}"))


def _way(payload: bytes, at: int) -> tuple[str, str, bool, int]:
    """Exchange, routing key, redelivered and tag, as they stand in a delivery and in the answer to a
    get.
    """
    number, redelivered = _tag.unpack_from(payload, at)
    exchange, at = read_short(payload, at + 9)
    key, _ = read_short(payload, at)
    return exchange, key, bool(redelivered), number


def _no_matter(_: int) -> None:
    """The channel that would give it back is not made yet, and nothing was asked."""


class FrameReader(asyncio.StreamReader):
    """The driver's reader of one connection, which is given only what no inlet takes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._clock = loop.time
        self._inlets: dict[int, Inlet] = {}
        self._rest = b""
        self._transparent = False
        self._last_sign = 0.0

    def inlet(self, channel: int) -> Inlet:
        """From now on deliveries and answers of ``channel`` go there."""
        made = self._inlets[channel] = Inlet()
        return made

    def leave(self, channel: int, inlet: Inlet) -> None:
        """Its number may be another's by now."""
        if self._inlets.get(channel) is inlet:
            del self._inlets[channel]

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        if self._transparent:
            super().feed_data(data)
            return
        others, at, taken = [], 0, False
        data = self._rest + bytes(data)
        end = len(data)
        while end - at >= 7:
            kind, channel, size = _frame.unpack_from(data, at)
            if kind not in _KINDS:  # the server speaks another protocol: the driver says so
                self._transparent = True
                others.append(data[at:])
                at = end
                break
            after = at + size + 8
            if after > end:
                break
            inlet = self._inlets.get(channel)
            if inlet is not None and inlet.take(kind, data[at + 7 : after - 1]):
                taken = True
            else:
                others.append(data[at:after])
            at = after
        self._rest = data[at:]
        if taken and self._clock() - self._last_sign > SIGN_OF_LIFE_EVERY:
            others.append(_SIGN_OF_LIFE)
        if others:
            self._last_sign = self._clock()
            super().feed_data(b"".join(others))

    def feed_eof(self) -> None:
        if self._rest:
            super().feed_data(self._rest)
            self._rest = b""
        super().feed_eof()


class QuickTransport(TransportFactory):
    """Opens the driver's connection with a `FrameReader` as its reader."""

    def __init__(self) -> None:
        self.intake: FrameReader | None = None

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        context: SSLContext | None = None
        provider = kwargs.pop("ssl_context_provider")
        if url.scheme == "amqps":
            context = await provider.get_context()
        intake = self.intake = FrameReader(loop)
        protocol = asyncio.StreamReaderProtocol(intake, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "localhost", url.port or 5672, ssl=context, **kwargs
        )
        return intake, asyncio.StreamWriter(transport, protocol, intake, loop)
