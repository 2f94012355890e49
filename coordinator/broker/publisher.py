"""Publishes messages and waits for the broker's confirms: one channel, about a hundred in flight.

More channels, or more in flight, is slower. The ways in which a publish can end are told
apart, because only the second of them may be repeated without a thought:

* it returns: the broker has the message, on disk on a majority of nodes;
* `BrokerUnavailable` (or `PublishRefused`): the broker does not have it, and may take it later;
* `MessageTooLarge`: the broker does not have it, and will not take it;
* `OutcomeUnknown`: it was sent and no answer came in time, or the connection was lost meanwhile, or
  the broker could not store it on each of its queues.

A message that may be too large is sent alone, see `publishing.large_messages`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NoReturn, Self

from coordinator.errors import (
    BrokerUnavailable,
    ChannelLost,
    MessageTooLarge,
    OperatorError,
    OtherLedger,
    OutcomeUnknown,
    PublishRefused,
)
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message

from .asyncio_cancel import cancel_and_wait
from .channel import Channel, confirmed
from .connection import Connection, Link
from .publishing.confirm_wait import retrieve_error, wait_until_settled
from .publishing.large_messages import NOT_KEEPING_UP, SURE_SIZE, LargeMessages
from .publishing.outgoing import Outgoing, put_on

__all__ = ["PUBLISH_TIMEOUT", "SURE_SIZE", "Ended", "Outgoing", "Publisher"]

PUBLISH_TIMEOUT = timedelta(seconds=10)
"""Longer than the election of a new leader takes (6 s where a node froze)."""

logger = logging.getLogger(__name__)

WINDOW = 128
"""Messages in flight."""

OVERDUE_LIMIT = 8
"""Messages past their time; beyond it nothing more is sent until answers come, so that a broker
that stores but does not answer cannot be filled with work that producers believe refused."""

Ended = MessageTooLarge | PublishRefused | BrokerUnavailable | OutcomeUnknown | None
"""How a publish ended; None for a confirm."""


class Publisher:
    """Publishes over ``connection``, which should be used for nothing else that may be blocked."""

    def __init__(
        self,
        connection: Connection,
        *,
        timeout: timedelta = PUBLISH_TIMEOUT,
        window: int = WINDOW,
        largest: int | None = None,
    ) -> None:
        """``largest``: bytes of a body beyond which nothing is sent, whatever the broker takes."""
        self._connection = connection
        self._timeout = timeout.total_seconds()
        self._window = asyncio.Semaphore(window)
        self._channel: Channel | None = None
        self._large = LargeMessages()
        self._largest = largest
        self._ready = asyncio.Event()
        self._overdue = 0
        self._refusal = ""
        self._told: str | None = None
        self._session: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._session = asyncio.create_task(
            self._connection.keep(self._serve), name=f"publisher {self._connection.name}"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await cancel_and_wait(session)

    @property
    def available(self) -> bool:
        """Whether a publish would be sent now."""
        return self._why_not() is None

    async def ready(self) -> None:
        """Wait until there is a channel to publish on."""
        await self._ready.wait()

    async def lost(self) -> NoReturn:
        """Wait until the channel of this moment is gone. Raises `ChannelLost`: the broker may have
        closed it because an exchange is missing.
        """
        if self._channel is not None:
            await self._channel.closed()
        raise ChannelLost

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        """Returns once the broker has confirmed; see the module for the ways in which it can fail.

        With ``mandatory``, a message that no queue takes raises `PublishRefused`.
        """
        deadline = self.deadline()
        sent = await self._send(Outgoing(message, exchange, key, mandatory), deadline)
        await wait_until_settled(sent, deadline)
        error = self._ended(sent, message)
        if error is not None:
            raise error

    async def check_size(self, size: int) -> None:
        """Ask the broker whether it takes a message of ``size`` bytes, with one for nobody, where that
        is not known yet. Raises `MessageTooLarge`, and what `publish` does.
        """
        if not self._large.known_to_be_taken(size):
            nothing = Message(body=bytes(size), persistent=False)
            await self.publish(nothing, exchange="", key=f"nobody.{new_id()}")

    @property
    def sure_size(self) -> int:
        """Bytes of body that may be sent without a thought: `SURE_SIZE`, or less where the broker has
        said that it takes less.
        """
        return self._large.sure_size

    def deadline(self) -> float:
        """By when whatever is begun now is answered, on the clock of the event loop."""
        return asyncio.get_running_loop().time() + self._timeout

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline: float | None = None
    ) -> list[Ended]:
        """Publish in order, a window of them in flight; how each ended.

        Each has the time of one publish, or all of them have until ``deadline``. What is left when
        the broker does not keep up is not sent.
        """
        sent: list[asyncio.Future[Any] | MessageTooLarge | BrokerUnavailable] = []
        for message in messages:
            try:
                sent.append(await self._send(message, deadline or self.deadline()))
            except MessageTooLarge as exc:
                sent.append(exc)
            except BrokerUnavailable as exc:
                sent += [exc] * (len(messages) - len(sent))
                break
        waiting = [one for one in sent if isinstance(one, asyncio.Future)]
        if waiting:
            left = (deadline or self.deadline()) - asyncio.get_running_loop().time()
            await asyncio.wait(waiting, timeout=max(left, 0))
        return [
            self._ended(one, outgoing.message) if isinstance(one, asyncio.Future) else one
            for one, outgoing in zip(sent, messages, strict=True)
        ]

    async def publish_each(
        self,
        messages: Sequence[Outgoing],
        *,
        told: Callable[[int, Ended], None],
        deadline: float,
    ) -> None:
        """Publish in order, as `publish_all` does, and tell how each ended as soon as it has: ``told`` is
        called once for each, with its index, on the event loop, and raises nothing. Returns when all have
        been told, by ``deadline``.
        """
        waiting: dict[asyncio.Future[Any], int] = {}
        last: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        all_sent = False

        def end(sent: asyncio.Future[Any]) -> None:
            index = waiting.pop(sent, None)
            if index is None:
                return  # told already: its time was over
            told(index, self._ended(sent, messages[index].message))
            if all_sent and not waiting and not last.done():
                last.set_result(None)

        for index, outgoing in enumerate(messages):
            try:
                sent = await self._send(outgoing, deadline)
            except (MessageTooLarge, BrokerUnavailable) as exc:
                told(index, exc)
            else:
                waiting[sent] = index
                sent.add_done_callback(end)
        all_sent = True
        if waiting:
            await wait_until_settled(last, deadline)
        for sent in list(waiting):
            end(sent)

    async def _send(self, outgoing: Outgoing, deadline: float) -> asyncio.Future[Any]:
        """Wait for room in the window, and send. Raises `BrokerUnavailable` or `MessageTooLarge` where
        nothing was.
        """
        self._check_may_send(outgoing, deadline)
        if not self._large.known_to_be_taken(len(outgoing.message.body)):
            sent = await self._large.send(outgoing, deadline)
            if sent is not None:
                return sent
        if self._window.locked():
            try:
                async with asyncio.timeout_at(deadline):
                    await self._window.acquire()
            except TimeoutError:
                raise BrokerUnavailable(NOT_KEEPING_UP) from None
        else:
            await self._window.acquire()
        channel = self._channel
        why_not = self._why_not()
        if channel is None or why_not is not None:
            self._window.release()
            raise BrokerUnavailable(why_not)
        try:
            sent = put_on(channel, outgoing)
        except BaseException:
            self._window.release()
            raise
        sent.add_done_callback(self._answered)
        return sent

    def _check_may_send(self, outgoing: Outgoing, deadline: float) -> None:
        """Raises what `_send` does, where nothing is to be sent at all."""
        why_not = self._why_not()
        if why_not != self._told:
            self._tell(why_not)
        if why_not is not None:
            raise BrokerUnavailable(why_not)
        if asyncio.get_running_loop().time() >= deadline:
            raise BrokerUnavailable(NOT_KEEPING_UP)
        size = len(outgoing.message.body)
        if self._largest is not None and size > self._largest:
            raise MessageTooLarge(size, self._largest)

    def _ended(self, sent: asyncio.Future[Any], message: Message) -> Ended:
        """How a publish ended whose time is over."""
        if not sent.done():
            self._overdue += 1
            sent.add_done_callback(self._late)
            return OutcomeUnknown()
        try:
            confirmed(sent)
        except (PublishRefused, OutcomeUnknown) as exc:
            return exc
        except MessageTooLarge as exc:
            return self._large.refused(exc, len(message.body))
        except OperatorError as exc:
            # A permission that was taken away may be given back: whoever publishes waits for it.
            if str(exc) != self._refusal:
                logger.error("%s", exc, extra={"connection": self._connection.name})
            self._refusal = str(exc)
            refused = PublishRefused(str(exc))
            refused.__cause__ = exc
            return refused
        except (BrokerUnavailable, asyncio.CancelledError) as exc:
            unknown = OutcomeUnknown(f"The connection was lost before the broker answered: {exc}")
            unknown.__cause__ = exc
            return unknown
        return None

    def _why_not(self) -> str | None:
        if self._channel is None or not self._channel.open:
            why = self._connection.last_error
            if isinstance(why, OtherLedger):
                return str(why)
            return "The broker cannot be reached right now; nothing was sent."
        if self._connection.blocked:
            return "The broker is short of memory or disk and takes nothing now; nothing was sent."
        if self._overdue >= OVERDUE_LIMIT:
            return "The broker has stopped answering; nothing was sent."
        return None

    def _tell(self, why_not: str | None) -> None:
        fields = {"connection": self._connection.name}
        if why_not is not None:
            logger.warning("messages cannot be sent now: %s", why_not, extra=fields)
        else:
            logger.info("messages can be sent again", extra=fields)
        self._told = why_not

    def _answered(self, sent: asyncio.Future[Any]) -> None:
        self._window.release()
        retrieve_error(sent)  # by the caller, or late and then of no interest

    def _late(self, _: asyncio.Future[Any]) -> None:
        self._overdue -= 1

    async def _serve(self, link: Link) -> None:
        self._large.begin(link)
        self._channel = await link.channel(confirms=True)
        self._ready.set()
        try:
            await self._channel.closed()
        finally:
            self._ready.clear()
            self._channel = None
        raise ChannelLost
