"""Publishes like `Publisher`, and tells interceptors of each message: before it is sent, and how it ended.

Where nobody intercepts, a plain `Publisher` is used, and its path costs what it did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from coordinator.interceptor_calls import log_failure
from coordinator.protocol.message import Message

from .connection import Connection
from .publisher import PUBLISH_TIMEOUT, Ended, Outgoing, Publisher

__all__ = ["InterceptedPublisher", "MessageStamp", "PublishInterceptor", "make_publisher"]


class PublishInterceptor(Protocol):
    """Sees every message that a publisher is given, as traces and metrics do.

    Called on the event loop, so no method may block. Each message has one `before`, and after it one
    `confirmed` or `failed` with the same `Outgoing` object, by whose `id` the two can be joined.
    What a method raises is logged; the publish goes on.
    """

    def before(self, outgoing: Outgoing) -> None:
        """The message is about to be sent; it may still be refused before anything is."""
        ...

    def confirmed(self, outgoing: Outgoing) -> None:
        """The broker has it."""
        ...

    def failed(self, outgoing: Outgoing, error: BaseException) -> None:
        """``error`` is what the caller is told: see `publisher` for the four ways. `CancelledError` where
        the caller does not wait any more; the broker may have the message then.
        """
        ...


class MessageStamp(Protocol):
    """Writes something on each message that is published, among its headers, as traces do.

    Called on the event loop, before the interceptors are told, once for each publish. What it raises is
    logged, and the message goes as it was.
    """

    def stamped(self, outgoing: Outgoing) -> Outgoing:
        """The same publish, with the message that is to be sent: its body, its properties and where it goes
        stay as they are. Interceptors see what is returned.
        """
        ...


class InterceptedPublisher(Publisher):
    """Tells ``interceptors``, in their order, of each message, after ``stamps`` were put on it."""

    def __init__(
        self,
        connection: Connection,
        *,
        interceptors: Sequence[PublishInterceptor],
        stamps: Sequence[MessageStamp] = (),
        timeout: timedelta = PUBLISH_TIMEOUT,
        largest: int | None = None,
    ) -> None:
        super().__init__(connection, timeout=timeout, largest=largest)
        self._interceptors = tuple(interceptors)
        self._stamps = tuple(stamps)

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        outgoing = self._stamped(Outgoing(message, exchange, key, mandatory))
        message = outgoing.message
        self._before([outgoing])
        try:
            await super().publish(message, exchange=exchange, key=key, mandatory=mandatory)
        except BaseException as exc:
            self._ended_with(outgoing, exc)
            raise
        self._ended_with(outgoing, None)

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline: float | None = None
    ) -> list[Ended]:
        """All of ``messages`` are told of before the first is sent."""
        messages = self._all_stamped(messages)
        self._before(messages)
        try:
            ends = await super().publish_all(messages, deadline=deadline)
        except BaseException as exc:
            for outgoing in messages:
                self._ended_with(outgoing, exc)
            raise
        for outgoing, error in zip(messages, ends, strict=True):
            self._ended_with(outgoing, error)
        return ends

    async def publish_each(
        self,
        messages: Sequence[Outgoing],
        *,
        told: Callable[[int, Ended], None],
        deadline: float,
    ) -> None:
        """All of ``messages`` are told of before the first is sent, and each when it has ended."""
        messages = self._all_stamped(messages)
        self._before(messages)
        open_ones = dict(enumerate(messages))

        def ended(index: int, error: Ended) -> None:
            self._ended_with(open_ones.pop(index), error)
            told(index, error)

        try:
            await super().publish_each(messages, told=ended, deadline=deadline)
        except BaseException as exc:
            for outgoing in open_ones.values():
                self._ended_with(outgoing, exc)
            open_ones.clear()
            raise

    # Without `call_each`: each submission pays for these, and what makes a call of a call costs most of it.

    def _stamped(self, outgoing: Outgoing) -> Outgoing:
        for one in self._stamps:
            try:
                outgoing = one.stamped(outgoing)
            except Exception as exc:  # noqa: BLE001 - logged
                log_failure(one, exc)
        return outgoing

    def _all_stamped(self, messages: Sequence[Outgoing]) -> Sequence[Outgoing]:
        return [self._stamped(one) for one in messages] if self._stamps else messages

    def _before(self, messages: Sequence[Outgoing]) -> None:
        for outgoing in messages:
            for one in self._interceptors:
                try:
                    one.before(outgoing)
                except Exception as exc:  # noqa: BLE001 - logged
                    log_failure(one, exc)

    def _ended_with(self, outgoing: Outgoing, error: BaseException | None) -> None:
        for one in self._interceptors:
            try:
                if error is None:
                    one.confirmed(outgoing)
                else:
                    one.failed(outgoing, error)
            except Exception as exc:  # noqa: BLE001 - logged
                log_failure(one, exc)


def make_publisher(
    connection: Connection,
    *,
    timeout: timedelta,
    largest: int | None = None,
    interceptors: Sequence[PublishInterceptor] = (),
    stamps: Sequence[MessageStamp] = (),
) -> Publisher:
    """A plain publisher where nobody intercepts. ``largest``: see `Publisher`."""
    if not interceptors and not stamps:
        return Publisher(connection, timeout=timeout, largest=largest)
    return InterceptedPublisher(
        connection, timeout=timeout, largest=largest, interceptors=interceptors, stamps=stamps
    )
