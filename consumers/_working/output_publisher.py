"""Publishes the partial output of an agent's runs: what they emit in one turn of the loop is one message.

    emit ─▶ OutputBuffer of the run ─▶ one message in flight ─▶ coordinator.output
                                        the next has what came meanwhile

It has a channel of its own, opened with the first chunk: what the broker refuses here stops no event.
Nothing waits for it but `emit`, and that not for long: the oldest chunks make room, and their numbers are
missing then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import OrderedDict
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.errors import MessageTooLarge, Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_output import (
    MAX_CHUNK,
    RunHeader,
    encode_output,
    encode_run,
    output_key,
)
from coordinator.protocol.topology import OUTPUT

from .._handling.output_buffer import OVERHEAD, Emitted, OutputBuffer
from .._values.attempt_log_context import task_context
from ..agent_timings import DEFAULT_TIMINGS, AgentTimings
from .attempt import Attempt

__all__ = ["OutputPublisher"]

logger = logging.getLogger(__name__)

HELD_BYTES = 8 * 1024 * 1024
"""Of chunks that wait: of all runs of the agent together, and as much of those that have ended."""

MESSAGE_BYTES = 64 * 1024
"""A message is closed when it has so many bytes."""

ENDED_RUNS = 200
"""Runs that have ended and whose end is not told yet, while the broker takes nothing: beyond it that of the
oldest is never told, so that its attempt is let go.
"""


@dataclass(slots=True)
class _Run:
    attempt: Attempt
    header: RunHeader
    buffer: OutputBuffer
    next: int = 1
    """The number of the first chunk that was neither taken nor dropped, as far as it is counted."""


class OutputPublisher:
    """Takes chunks from any thread; made on the event loop. ``slots``: how many runs share what is held."""

    def __init__(
        self,
        connection: Connection,
        *,
        agent_id: str,
        slots: int,
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._connection = connection
        self._agent_id = agent_id
        self._key = output_key(agent_id)
        self._share = max(2 * (MAX_CHUNK + OVERHEAD), HELD_BYTES // slots)
        self._patience = timings.output_patience.total_seconds()
        self._backoff = timings.output_backoff
        self._rng = rng or random.Random()
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._beginning = threading.Lock()
        self._runs: dict[Attempt, _Run] = {}
        self._ready: OrderedDict[Attempt, None] = OrderedDict()
        """Of runs that have something to publish; the first is the next."""
        self._ended: OrderedDict[Attempt, None] = OrderedDict()
        """Of runs that are over, and whose last chunks wait; the oldest is the first."""
        self._added = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._held_up = False
        self.published = 0
        """Chunks that were taken to be published, since the start; likewise those `dropped`."""
        self.dropped = 0

    def emit(self, attempt: Attempt, chunk: bytes) -> Awaitable[None]:
        """Publish a chunk, which is JSON, behind those before it. From the loop or from a thread, in which it
        may wait a moment.
        """
        buffer = self._buffer_of(attempt)
        return Emitted() if buffer is None else buffer.put(chunk)

    def end(self, attempt: Attempt) -> None:
        """The run of this attempt is over: it is told, where it has emitted something. What it emits from now
        on is passed over.
        """
        with self._beginning:
            attempt.silenced = True
            run = self._runs.get(attempt)
        if run is not None:
            run.buffer.end()
            self._ended[attempt] = None
            self._bound_ended()

    async def emptied(self, within: float) -> None:
        """Wait until all that was emitted is published, for as many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._empty.wait()

    async def run(self) -> NoReturn:
        """Publish until cancelled. The channel is opened when it is first needed."""
        await self._added.wait()
        async with Publisher(self._connection) as publisher:
            await publisher.ready()
            while True:
                await self._added.wait()
                await asyncio.sleep(0)  # whatever else is emitted in this turn
                self._added.clear()
                while pieces := self._next_pieces():
                    await self._deliver(publisher, encode_output(self._agent_id, pieces))
                self._empty.set()

    # --- the runs -----------------------------------------------------------------------------

    def _buffer_of(self, attempt: Attempt) -> OutputBuffer | None:
        """None where its run is over."""
        with self._beginning:
            if attempt.silenced:
                return None
            run = self._runs.get(attempt)
            if run is None:
                header = RunHeader.of(
                    attempt.message,
                    crashes=attempt.crashes,
                    returned=attempt.deliveries[0].delivery_count,
                    run=new_id()[-12:],
                )
                buffer = OutputBuffer(
                    most=self._share,
                    patience=self._patience,
                    on_more=partial(self._on_more, attempt),
                    loop_thread=self._loop_thread,
                )
                run = self._runs[attempt] = _Run(attempt, header, buffer)
            return run.buffer

    def _on_more(self, attempt: Attempt) -> None:
        if threading.get_ident() == self._loop_thread:
            self._note(attempt)
        else:
            with suppress(RuntimeError):  # the loop is gone: nobody publishes any more
                self._loop.call_soon_threadsafe(self._note, attempt)

    def _note(self, attempt: Attempt) -> None:
        if attempt not in self._runs:
            return  # what a thread emitted last was taken with the end, before this had its turn
        self._ready[attempt] = None
        self._empty.clear()
        self._added.set()

    def _next_pieces(self) -> list[bytes]:
        """What fits into one message, of each run in turn; [] where there is nothing."""
        pieces: list[bytes] = []
        left = MESSAGE_BYTES
        for _ in range(len(self._ready)):
            if left <= 0:
                break
            run = self._runs[self._ready.popitem(last=False)[0]]
            taken = run.buffer.take(left)
            self._count(run, taken.first)
            run.next += len(taken.chunks)
            self.published += len(taken.chunks)
            if taken.chunks or taken.ended:
                pieces.append(encode_run(run.header, taken.first, taken.chunks, ended=taken.ended))
                left -= taken.size + len(run.header.encoded)
            if taken.ended:
                self._forget(run)
                self._log_dropped(run)
            elif run.buffer.size:
                self._ready[run.attempt] = None
        return pieces

    def _count(self, run: _Run, reached: int) -> None:
        """All chunks before the number ``reached`` that were not taken are dropped."""
        self.dropped += reached - run.next
        run.next = reached

    def _forget(self, run: _Run) -> None:
        del self._runs[run.attempt]
        self._ended.pop(run.attempt, None)
        self._ready.pop(run.attempt, None)

    def _log_dropped(self, run: _Run) -> None:
        if run.buffer.dropped:
            logger.warning(
                "partial output was dropped: more was emitted than the broker took",
                extra=task_context(
                    run.attempt.message.task_id,
                    task_type=run.attempt.message.task_type,
                    attempt=run.attempt.message.attempt,
                    agent_id=self._agent_id,
                )
                | {"dropped": run.buffer.dropped, "emitted": run.buffer.emitted},
            )

    def _bound_ended(self) -> None:
        """While nothing is taken, one run after the other may end."""
        held = sum(self._runs[attempt].buffer.size for attempt in self._ended)
        for attempt in self._ended:
            if held <= HELD_BYTES:
                break
            held -= self._runs[attempt].buffer.size
            self._runs[attempt].buffer.shrink(0)
        if len(self._ended) > ENDED_RUNS:  # why is in the log already
            oldest = self._runs[next(iter(self._ended))]
            self._count(oldest, oldest.buffer.emitted + 1)
            self._forget(oldest)

    # --- publishing ---------------------------------------------------------------------------

    async def _deliver(self, publisher: Publisher, message: Message) -> None:
        """Returns when it is confirmed, or is too large for the broker. One whose fate is not known is
        published again: chunks that come twice count once.
        """
        pause, longest = self._backoff.first.total_seconds(), self._backoff.longest.total_seconds()
        while True:
            try:
                await publisher.publish(message, exchange=OUTPUT, key=self._key)
            except MessageTooLarge as exc:
                logger.warning("partial output is left out: %s", exc)
                return
            except Unavailable as exc:
                if not self._held_up:
                    logger.warning("partial output waits for the broker", extra={"why": str(exc)})
                self._held_up = True
            else:
                self._held_up = False
                return
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)
            await publisher.ready()
