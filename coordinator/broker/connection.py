"""Connects to the broker, and connects again by itself when the connection is lost.

    Connection ──keeps──▶ Link (one TCP connection, lives once) ──▶ Channel

What runs over it is written as a *session*: a coroutine that is given a link and uses it until it is
lost. `Connection.keep` runs it again on the next link, so every session sets itself up from nothing
and nothing has to be restored.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, NoReturn, Self, cast
from weakref import WeakSet

import aio_pika
import aiormq
from aio_pika.abc import UnderlayConnection
from aiormq.abc import AbstractConnection, ChannelFrame
from aiormq.exceptions import InvalidFrameError
from yarl import URL

from coordinator.broker.frames.frame_reader import FrameReader, QuickTransport
from coordinator.broker.frames.publishing_user import PublishingUser
from coordinator.errors import BrokerRefused, BrokerUnavailable, ConnectionLost, OperatorError
from coordinator.protocol.broker_address_check import LONGEST_HEARTBEAT

from .asyncio_cancel import cancel_and_wait
from .channel import Channel
from .connection_timings import DEFAULT_TIMINGS, ConnectionTimings
from .driver_errors import translated
from .undeliverable_head import HeadsOfQueues

__all__ = ["HEARTBEAT", "OLDEST_BROKER", "Connection", "Link"]

logger = logging.getLogger(__name__)

HEARTBEAT = timedelta(seconds=10)
"""The driver declares a silent connection dead after three of these, and a little more; the broker
after two. The broker's address may name another: `amqp://.../?heartbeat=30`."""

UNBOUNDED = 0
"""How many frames the driver's buffers hold. When the broker closes a channel, the driver gives its number to
the next one at once. Where a buffer is full it confirms the close after that, or never: the broker takes the
number for the old channel's then, and ends the connection ("second 'channel.open' seen"). What is sent is
bounded by what is in flight, and what comes by what was asked for."""

OLDEST_BROKER = (3, 10)
"""The first version whose quorum queues dead-letter at least once and expire messages."""


class Link:
    """One established connection; once lost it stays lost."""

    def __init__(
        self,
        raw: aio_pika.Connection,
        transport: AbstractConnection,
        intake: FrameReader,
        heads: HeadsOfQueues,
        timings: ConnectionTimings,
        user: PublishingUser,
    ) -> None:
        self._raw = raw
        self._user = user
        self._transport = transport
        self._intake = intake
        self._timings = timings
        self.heads = heads
        """What reading each queue came to, over this connection's links so far."""
        self._channels: WeakSet[Channel] = WeakSet()

    @property
    def open(self) -> bool:
        return not self._transport.is_closed

    @property
    def blocked(self) -> bool:
        """Whether the broker has told this connection to stop publishing (a memory or disk alarm).

        Only connections that publish are told.
        """
        waiting = self._transport.ready()
        try:
            waiting.send(None)  # returns at once unless there is something to wait for
        except StopIteration:
            return False
        waiting.close()
        return True

    @property
    def server_version(self) -> str:
        """As the broker tells it, such as `3.10.8`."""
        version = self._transport.server_properties.get("version", "")
        return version.decode() if isinstance(version, bytes) else str(version)

    async def closed(self) -> None:
        """Wait until the link is lost or closed."""
        await asyncio.wait([self._transport.closing])

    async def channel(self, *, confirms: bool = False, prefetch: int | None = None) -> Channel:
        """Open a channel; ``confirms`` makes each publish wait for the broker's word."""
        with translated("opening a channel"):
            async with asyncio.timeout(self._timings.answer_timeout):
                raw = await self._transport.channel(
                    publisher_confirms=confirms, on_return_raises=True, frame_buffer_size=UNBOUNDED
                )
        inlet = self._intake.inlet(raw.number)
        channel = Channel(raw, inlet, self._user, answer_timeout=self._timings.answer_timeout)
        self._channels.add(channel)
        raw.closing.add_done_callback(lambda _: self._intake.leave(raw.number, inlet))
        if prefetch is not None:
            await channel.prefetch(prefetch)
        return channel

    async def close(self) -> None:
        """What was sent before is on its way then, as far as the broker still reads."""
        for channel in self._channels:
            channel.flush()
        if self.open:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.flush_timeout):
                    await self._written()
        with translated("closing the connection"):
            await self._raw.close()

    async def _written(self) -> None:
        """Wait until the driver's buffer is empty: it drops what is left there when it closes."""
        done = asyncio.get_running_loop().create_future()
        mark = ChannelFrame(payload=b"", should_close=False, drain_future=done)
        await cast("aiormq.Connection", self._transport).write_queue.put(mark)
        await asyncio.wait([done, self._transport.closing], return_when=asyncio.FIRST_COMPLETED)


class Connection:
    """Keeps one link open from ``async with`` on; safe to leave at any time.

    ``name`` is what operators read in the management UI. Raises `OperatorError` where the address
    names a heartbeat that is none. ``rng`` draws the jitter of the pauses.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        heartbeat: timedelta = HEARTBEAT,
        timings: ConnectionTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._url = _with_heartbeat(URL(url), heartbeat)
        self._user = PublishingUser(self._url)
        self.name = name
        self._timings = timings
        self._rng = rng or random.Random()
        self._link: Link | None = None
        self._changed = asyncio.Condition()
        self._supervisor: asyncio.Task[None] | None = None
        self.last_error: Exception | None = None
        """Why the latest attempt to connect failed; None while connected."""
        self.refused: OperatorError | None = None
        """What an operator must put right before a session can go on; None while one does."""
        self.heads = HeadsOfQueues(timings)
        self.admit: Callable[[Link], Awaitable[object]] | None = None
        """Called over each new link, before anybody is given it; what it raises is why there is none."""

    async def __aenter__(self) -> Self:
        self._supervisor = asyncio.create_task(self._supervise(), name=f"connection {self.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            await cancel_and_wait(supervisor)

    @property
    def link(self) -> Link | None:
        """The link of this moment; None while the broker is away."""
        return self._link if self._link is not None and self._link.open else None

    @property
    def blocked(self) -> bool:
        """As `Link.blocked`; False while there is no link."""
        link = self.link
        return link is not None and link.blocked

    @property
    def user(self) -> str | None:
        """Whom the broker takes this connection's messages to be from; None where that is not known."""
        return self._user.name

    @property
    def address(self) -> str:
        """The broker's address without the password."""
        return str(self._url.with_query(None).with_password(None).with_user(None))

    async def opened(self) -> Link:
        """Wait, for as long as it takes, until there is a link."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.link is not None)
            return cast("Link", self._link)

    async def opened_or_refused(self) -> Link:
        """Like `opened`, but raises what only the operator can fix, such as a wrong password."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self.link is not None or isinstance(self.last_error, OperatorError)
            )
        if self.link is None and self.last_error is not None:
            raise self.last_error
        return await self.opened()

    async def attempted(self) -> None:
        """Wait until the first attempt to connect has ended, one way or the other."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self.link is not None or self.last_error is not None
            )

    async def keep(self, session: Callable[[Link], Awaitable[object]]) -> NoReturn:
        """Run ``session`` on every link, again after each loss; ends only by cancellation.

        A session ends by raising `BrokerUnavailable` (or an `OperatorError`, which is logged and
        tried again, since an operator may put it right); any other exception is a bug and passes.
        """
        pause = self._timings.first_pause
        while True:
            link = await self.opened()
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                await session(link)
            except BrokerUnavailable as exc:
                self.refused = None
                logger.info("session interrupted", extra={"connection": self.name, "why": str(exc)})
            except OperatorError as exc:
                if str(exc) != str(self.refused):
                    logger.error("%s", exc, extra={"connection": self.name})
                self.refused = exc
            if loop.time() - began > self._timings.longest_pause:
                pause = self._timings.first_pause
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, self._timings.longest_pause)

    async def _supervise(self) -> None:
        pause = self._timings.first_pause
        try:
            while True:
                try:
                    link = await self._admitted(await self._connect())
                    pause = self._timings.first_pause
                    logger.info("connected to the broker", extra={"connection": self.name})
                    await self._set(link, None)
                    await link.closed()
                    logger.warning(
                        "lost the connection to the broker", extra={"connection": self.name}
                    )
                    await self._set(None, ConnectionLost())
                    await link.close()  # or the garbage collector does, in whatever thread it runs
                except Exception as exc:  # noqa: BLE001 - whatever it was, the trying goes on
                    self._tell(exc)
                    await self._set(None, exc)
                    await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
                    pause = min(2 * pause, self._timings.longest_pause)
        finally:
            if self._link is not None:
                link, self._link = self._link, None
                await link.close()

    async def _admitted(self, link: Link) -> Link:
        if self.admit is not None:
            try:
                await self.admit(link)
            except BaseException:
                await link.close()
                raise
        return link

    def _tell(self, exc: Exception) -> None:
        """Why there is no connection, once for each reason; with a traceback where it is a bug."""
        known = isinstance(exc, BrokerUnavailable | OperatorError)
        if not known or str(exc) != str(self.last_error):
            logger.warning(
                "no connection to the broker yet: %s",
                exc,
                exc_info=None if known else exc,
                extra={"connection": self.name},
            )

    async def _set(self, link: Link | None, error: Exception | None) -> None:
        async with self._changed:
            self._link = link
            self.last_error = error
            self._changed.notify_all()

    async def _connect(self) -> Link:
        raw = _ThroughIntake(self._url, client_properties={"connection_name": self.name})
        try:
            with translated(f"connecting to {self.address}"):
                async with asyncio.timeout(self._timings.connect_timeout):
                    await raw.connect()
        except BaseException as exc:
            await raw.close()  # which it would try for itself when it is collected, loop or no loop
            if isinstance(exc.__cause__, InvalidFrameError):
                # The driver's word for a connection that the broker closes while it is opened.
                raise BrokerRefused(
                    f"The broker refuses to open {self.address}: check that the virtual host"
                    " exists and that this user may use it"
                ) from exc
            raise
        transport, intake = raw.transport, raw.quick.intake
        if transport is None or intake is None:
            raise ConnectionLost
        return Link(raw, transport.connection, intake, self.heads, self._timings, self._user)


class _Transport(aiormq.Connection):
    """One that waits for no room to write in."""

    FRAME_BUFFER_SIZE = UNBOUNDED


class _Underlay(UnderlayConnection):
    """Opens a `_Transport`."""

    @classmethod
    async def make_connection(
        cls, url: URL, timeout: float | None = None, **options: Any
    ) -> AbstractConnection:
        connection = _Transport(url, **options)
        async with asyncio.timeout(timeout):
            await connection.connect()
            await connection.ready()
        return connection


class _ThroughIntake(aio_pika.Connection):
    """One whose socket an `FrameReader` reads."""

    def __init__(self, url: URL, **options: Any) -> None:
        super().__init__(url, **options)
        self.quick = self.kwargs["transport_factory"] = QuickTransport()

    async def connect(self, timeout: float | None = None) -> None:
        self.transport = await _Underlay.connect(
            self.url, self._on_connection_close, timeout=timeout, **self.kwargs
        )
        await self._on_connected()


def _with_heartbeat(url: URL, usual: timedelta) -> URL:
    given = url.query.get("heartbeat")
    if given is None:
        return url.update_query(heartbeat=int(usual.total_seconds()))
    # The driver takes what it cannot read for none at all, and then nobody notices a dead peer.
    if given.isascii() and given.isdecimal() and 1 <= int(given) <= LONGEST_HEARTBEAT:
        return url
    raise OperatorError(
        f"heartbeat={given} in the broker's address is not valid: give whole seconds from 1 to"
        f" {LONGEST_HEARTBEAT}, or leave it out for {int(usual.total_seconds())}"
    )
