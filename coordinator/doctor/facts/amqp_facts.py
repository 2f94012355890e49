"""Gathers facts over AMQP: looks at each exchange and queue that should be there.

After a passive look comes the same declaration that a coordinator makes, which the broker refuses where
the two differ. What is missing stays missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from coordinator.broker.channel import Channel, Depth
from coordinator.broker.connection import Connection, Link
from coordinator.errors import BrokerRefused, CoordinatorError, QueueMissing, TopologyConflict
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import (
    LOG,
    TOPOLOGY,
    ExchangeSpec,
    QueueSpec,
    Topology,
    ledger_claim,
    task_queue_topology,
)

from .fact_types import NO_ANSWER, BrokerFacts, ObjectState, ObjectVerdict

__all__ = ["READER_WITHIN", "ask_broker"]

PATIENCE = 60.0
"""Seconds for all of it: some thousand queues."""

SILENCE = 0.24
"""Seconds. A node gives the leader of a queue 0.25 s to tell how long it is, and then says 0."""
READER_WITHIN = 2.0
"""Seconds in which a coordinator that has just connected reads the log."""
LOOK_EVERY = 0.2
"""Seconds between two looks at whether somebody does."""
LOOKS = 3
"""Looks at a queue that seems silent: a busy machine is that slow now and then."""


async def ask_broker(
    url: str,
    sources: Sequence[TaskQueue],
    *,
    ledger_id: str | None = None,
    reader_within: float = READER_WITHIN,
) -> BrokerFacts | str:
    """Ask the broker at ``url``, for the task queues ``sources`` as well, and whether it belongs to the
    ledger ``ledger_id``. Where nobody reads the log it looks again for ``reader_within`` seconds. The facts,
    or one sentence that says why there are none.
    """
    try:
        async with asyncio.timeout(PATIENCE), Connection(url, name="coordinator doctor") as broker:
            await broker.attempted()
            if broker.link is None:
                if isinstance(getattr(broker.last_error, "__cause__", None), TimeoutError):
                    return NO_ANSWER
                why = str(broker.last_error or "it cannot be reached")
                return why.removesuffix(f" (while connecting to {broker.address})")
            return await _look(_Look(broker.link, reader_within=reader_within), sources, ledger_id)
    except TimeoutError:
        return NO_ANSWER
    except CoordinatorError as exc:
        return NO_ANSWER if isinstance(exc.__cause__, TimeoutError) else str(exc)


async def _look(look: _Look, sources: Sequence[TaskQueue], ledger_id: str | None) -> BrokerFacts:
    (claim,) = ledger_claim(ledger_id or "").exchanges
    wanted = [queue for source in sources for queue in task_queue_topology(source).queues]
    return BrokerFacts(
        version=look.link.server_version,
        exchanges=tuple([await look.exchange(one) for one in TOPOLOGY.exchanges]),
        queues=tuple(
            [
                await (look.log(one) if one.name == LOG else look.queue(one))
                for one in TOPOLOGY.queues
            ]
        ),
        sources=tuple([await look.queue(one) for one in wanted]),
        claim=await look.exchange(claim),
    )


class _Look:
    """Every answer of "no" takes the channel with it: the next question opens another. Seconds:
    ``look_every`` between two looks for a reader of the log, which is waited for ``reader_within``.
    """

    def __init__(
        self,
        link: Link,
        *,
        reader_within: float = READER_WITHIN,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self.link = link
        self._reader_within = reader_within
        self._look_every = look_every
        self._channel: Channel | None = None
        self._found_silent = False

    async def exchange(self, spec: ExchangeSpec) -> ObjectState:
        async def compare() -> ObjectState:
            channel = await self._open()
            if not await channel.has_exchange(spec.name):
                return ObjectState(name=spec.name, verdict=ObjectVerdict.MISSING)
            await channel.declare(Topology(exchanges=(spec,)))
            return ObjectState(name=spec.name, verdict=ObjectVerdict.RIGHT)

        return await _judged(spec.name, compare)

    async def queue(self, spec: QueueSpec) -> ObjectState:
        async def compare() -> ObjectState:
            channel = await self._open()
            depth = await self._depth(channel, spec.name)
            if depth is None:
                return ObjectState(name=spec.name, verdict=ObjectVerdict.SILENT)
            verdict, told = ObjectVerdict.RIGHT, ""
            try:
                await channel.declare(Topology(queues=(spec,)))
            except TopologyConflict as exc:
                verdict, told = ObjectVerdict.DIFFERENT, str(exc)
            return ObjectState(
                name=spec.name,
                verdict=verdict,
                told=told,
                ready=depth.ready,
                consumers=depth.consumers,
            )

        return await _judged(spec.name, compare)

    async def log(self, spec: QueueSpec) -> ObjectState:
        """As `queue`, again for a while where nobody reads it: a coordinator may just be starting."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._reader_within
        while True:
            found = await self.queue(spec)
            if found.verdict is not ObjectVerdict.RIGHT or found.consumers or loop.time() >= until:
                return found
            await asyncio.sleep(self._look_every)

    async def _depth(self, channel: Channel, name: str) -> Depth | None:
        """None where its leader keeps silent. Where one does, others are believed sooner."""
        loop = asyncio.get_running_loop()
        for _ in range(1 if self._found_silent else LOOKS):
            began = loop.time()
            depth = await channel.depth(name)
            if depth != Depth(0, 0) or loop.time() - began < SILENCE:
                return depth
        self._found_silent = True
        return None

    async def _open(self) -> Channel:
        if self._channel is None or not self._channel.open:
            self._channel = await self.link.channel()
        return self._channel


async def _judged(name: str, compare: Callable[[], Awaitable[ObjectState]]) -> ObjectState:
    try:
        return await compare()
    except QueueMissing:
        return ObjectState(name=name, verdict=ObjectVerdict.MISSING)
    except TopologyConflict as exc:
        return ObjectState(name=name, verdict=ObjectVerdict.DIFFERENT, told=str(exc))
    except BrokerRefused as exc:
        return ObjectState(name=name, verdict=ObjectVerdict.REFUSED, told=str(exc))
