"""Reads this process's own queue of partial output, as long as the link to the broker lasts.

The broker hands out a window of messages and waits until they are acknowledged; what comes beyond waits
on the queue, whose oldest messages make room. So a flood costs this process a few at a time, and its agents'
heartbeats and the log, which come over the same connection, are not held up by it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.domain.broker_identities import ANYBODY, BrokerIdentities
from coordinator.errors import (
    ChannelLost,
    MalformedMessage,
    OperatorError,
    Unavailable,
    Unreadable,
)
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.task_output import LARGEST_OUTPUT, OUTPUT_TYPE
from coordinator.protocol.topology import output_topology

from .output_checks import checked_output
from .output_subscriptions import PartialOutput

__all__ = ["OutputReader"]

logger = logging.getLogger(__name__)

WINDOW = 200
"""Messages that the broker hands out before the first of them are acknowledged."""

HELD_BYTES = 16 * 1024 * 1024
"""Of messages that were handed out and not taken yet; what comes beyond is dropped."""

AT_ONCE = 50
"""Messages taken in before they are acknowledged."""

TURN = 0.005
"""Seconds of CPU for which messages are taken in before other work on the event loop has its turn, for as
long: in a flood half of this process's time is left to everything else.
"""

FORGETTING_EVERY = 15.0
"""Seconds between two looks at what is of no use any more."""

WARNED_KEYS = 1000
"""Routing keys that were complained of; beyond it all are complained of anew."""


class OutputReader:
    """Run `session` with `Connection.keep`, and `run` beside it. ``process`` names the queue for operators;
    ``identities`` are asked for with each message.
    """

    def __init__(
        self,
        output: PartialOutput,
        *,
        process: str,
        secret: bytes,
        identities: Callable[[], BrokerIdentities] = lambda: ANYBODY,
    ) -> None:
        self.output = output
        self._process = process
        self._secret = secret
        self._identities = identities
        self._warned: set[str] = set()
        self._held = 0
        self._refusal = ""

    async def run(self) -> NoReturn:
        """Forget what is of no use any more; ends only by cancellation."""
        while True:
            await asyncio.sleep(FORGETTING_EVERY)
            self.output.forget()

    async def session(self, link: Link) -> NoReturn:
        """Open a queue and read it until the link is lost. Raises `ChannelLost`, also where the broker
        refuses: nothing else waits for this.
        """
        try:
            await self._read(link)
        except OperatorError as exc:
            if str(exc) != self._refusal:
                logger.error("no partial output is heard: %s", exc)
            self._refusal = str(exc)
            raise ChannelLost(str(exc)) from exc
        raise ChannelLost

    async def _read(self, link: Link) -> None:
        # A fresh name each time: the old one is locked until the broker notices the old link's end.
        topology = output_topology(f"{self._process}.{new_id()[-6:]}")
        arrived: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._held = 0
        channel = await link.channel(prefetch=WINDOW)
        lost = asyncio.create_task(channel.closed())
        lost.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            await channel.declare(topology)
            await channel.consume(
                topology.queues[0].name,
                lambda delivery: arrived.put_nowait(self._within_bounds(delivery)),
                tag=f"output.{new_id()}",
                on_cancelled=lambda: arrived.put_nowait(None),
            )
            self.output.start_hearing()
            await self._take_all(arrived)
        finally:
            self.output.stop_hearing()
            await cancel_and_wait(lost)
            with suppress(Unavailable):
                await channel.close()

    def _within_bounds(self, delivery: Delivery) -> Delivery:
        """Without its body where that is too much; its chunks are missing then."""
        size = len(delivery.message.body)
        if size > LARGEST_OUTPUT or self._held + size > HELD_BYTES:
            why = MalformedMessage(f"{size} bytes of output beside {self._held} that are held")
            self._ignored(why, delivery.routing_key)
            return replace(delivery, message=replace(delivery.message, body=b""))
        self._held += size
        return delivery

    async def _take_all(self, arrived: asyncio.Queue[Delivery | None]) -> None:
        """Return when there will be nothing more."""
        taken = 0
        began = time.thread_time()
        while True:
            waits = arrived.empty()
            delivery = await arrived.get()
            if delivery is None:
                return
            if waits:
                began = time.thread_time()
            self._held -= len(delivery.message.body)
            if delivery.message.body:
                self._take(delivery)
            taken += 1
            if taken % AT_ONCE == 0 or arrived.empty():
                await delivery.ack(multiple=True)
            spent = time.thread_time() - began
            if spent > TURN:
                await asyncio.sleep(spent)
                began = time.thread_time()

    def _take(self, delivery: Delivery) -> None:
        if delivery.message.type not in (None, OUTPUT_TYPE):
            return  # of a version to come
        try:
            for one in checked_output(delivery, secret=self._secret, identities=self._identities()):
                if isinstance(one, Unreadable):
                    self._ignored(one, delivery.routing_key)
                else:
                    self.output.take(one)
        except Unreadable as exc:
            self._ignored(exc, delivery.routing_key)

    def _ignored(self, why: Unreadable, routing_key: str) -> None:
        """It is nowhere kept; an agent that goes on with it is told of once."""
        self.output.counts.refused(type(why).__name__)
        if routing_key in self._warned:
            return
        if len(self._warned) >= WARNED_KEYS:
            self._warned.clear()
        self._warned.add(routing_key)
        logger.warning(
            "partial output cannot be taken and is dropped",
            extra={"routing_key": routing_key, "why": str(why)},
        )
