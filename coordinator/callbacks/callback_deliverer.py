"""Delivers due callbacks: leases them, sends each, and has noted what came of it.

    table callbacks ─▶ leased, as many as there is room for ─▶ POST ─▶ verdict ─▶ noted with the next lease

Every coordinator runs one, in the process that folds the log; a lease keeps them apart. Killed between the
POST and the note, the lease runs out, and the event is told again under the same id: at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.domain.callbacks.delivery_outcome import (
    GONE,
    PostResult,
    TryRules,
    Verdict,
    judged,
)
from coordinator.errors import LedgerUnavailable
from coordinator.registry.feed.callback_leases import LeasedCallback, LeaseLimits, TriedCallback
from coordinator.task_log_context import task_context

from .host_slots import HostSlots, SlotLimits

__all__ = ["CallbackDeliverer"]

logger = logging.getLogger(__name__)

POLL = timedelta(seconds=1)
"""Between two looks, where nothing is known to be due earlier: another process may have folded it."""

SPACING = timedelta(milliseconds=20)
"""Between two transactions at least: what ends within it is noted together."""

LAST_ANSWERS = timedelta(seconds=0.5)
"""How long stopping waits for the answers to what was sent."""

TOLD_FOR = timedelta(hours=1)
"""How long it is a problem of the service that callbacks died."""


class LeasesCallbacks(Protocol):
    """Leases due callbacks: `registry.feed.callback_leases.CallbackLeases`. Raises `LedgerUnavailable`."""

    async def next_due(self, now: datetime) -> datetime | None:
        """When the first that nobody has leased is due; None where there is none."""

    async def exchange(
        self, tried: Sequence[TriedCallback], limits: LeaseLimits, *, now: datetime
    ) -> list[LeasedCallback]:
        """Note what was ``tried``, and lease others that are due, within ``limits``."""


class SendsWebhooks(Protocol):
    """Sends one POST: `webhook_post.WebhookPost`."""

    async def send(self, delivery: CallbackDelivery, body: bytes) -> PostResult:
        """What came of it; raises nothing that a receiver can bring about."""


class CallbackDeliverer:
    """Run `run` while the process lasts. ``count`` is called with what came of each try: `delivered`,
    `failed` or `dead`. ``jitter`` gives a random number from 0 to 1, ``monotonic`` seconds of a clock that is
    never set.
    """

    def __init__(
        self,
        *,
        leases: LeasesCallbacks,
        post: SendsWebhooks,
        rules: TryRules = TryRules(),  # noqa: B008 - frozen
        limits: SlotLimits = SlotLimits(),  # noqa: B008 - frozen
        count: Callable[[str], None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._post = post
        self._rules = rules
        self._slots = HostSlots(limits)
        self._count = count
        self._now = now
        self._jitter = jitter
        self._monotonic = monotonic
        self._soon = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        self._tried: list[TriedCallback] = []
        self._deaths: deque[float] = deque(maxlen=1000)
        self._problem: str | None = None

    def nudge(self) -> None:
        """Callbacks were ordered."""
        self._soon.set()

    def problems(self) -> list[str]:
        """What an operator should know of, a sentence each."""
        while self._deaths and self._monotonic() - self._deaths[0] > TOLD_FOR.total_seconds():
            self._deaths.popleft()
        told = [] if self._problem is None else [f"Callbacks wait for the ledger: {self._problem}"]
        if self._deaths:
            told.append(
                f"{len(self._deaths)} callbacks died within the last hour: GET /callbacks?state=dead says"
                " why, POST /callbacks/redrive tries them again"
            )
        return told

    async def run(self) -> NoReturn:
        """Ends only by cancellation, and then notes what came of what was sent."""
        try:
            while True:
                self._soon.clear()
                pause = await self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause.total_seconds()):
                        await self._soon.wait()
                await asyncio.sleep(SPACING.total_seconds())
        finally:
            await self._stop()

    async def _look(self) -> timedelta:
        """Note what has ended, and begin what is due; return how long to wait for more."""
        now = self._now()
        tried, self._tried = self._tried, []
        try:
            wait = POLL if tried else await self._wait(now)
            if wait > timedelta() and not tried:
                return wait
            leased = await self._leases.exchange(tried, self._slots.room(), now=now)
            self._problem = None
        except LedgerUnavailable as exc:
            self._tried = tried + self._tried
            if self._problem is None:
                logger.error("callbacks wait for the ledger: %s", exc)
            self._problem = str(exc)
            return POLL
        except asyncio.CancelledError:
            self._tried = (
                tried + self._tried
            )  # noted twice at most, and the second time changes nothing
            raise
        for one in leased:
            self._slots.take(one.host)
            sending = asyncio.create_task(self._send(one))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
        return timedelta() if leased else POLL

    async def _wait(self, now: datetime) -> timedelta:
        """How long nothing is due; zero where something is, and there is room for it."""
        if self._slots.free <= 0:
            return POLL
        due = await self._leases.next_due(now)
        return POLL if due is None else min(due - now, POLL)

    async def _send(self, leased: LeasedCallback) -> None:
        delivery = leased.delivery
        try:
            result = await self._result(leased)
        except BaseException:
            self._slots.give_back(leased.host, failed=True)
            raise
        now = self._now()
        verdict = judged(delivery, result, self._rules, now=now, jitter=self._jitter())
        self._tried.append(TriedCallback(leased=leased, tried_at=now, verdict=verdict))
        self._slots.give_back(leased.host, failed=verdict.state is not DeliveryState.DELIVERED)
        self._tell(delivery, leased.host, verdict)
        self._soon.set()

    async def _result(self, leased: LeasedCallback) -> PostResult:
        if leased.body is None:
            return PostResult(error="The event is not in the ledger any more", final=True)
        try:
            return await self._post.send(leased.delivery, leased.body)
        except Exception as exc:
            logger.exception("a callback could not be sent", extra={"host": leased.host})
            return PostResult(error=f"Something unexpected happened here: {type(exc).__name__}")

    def _tell(self, delivery: CallbackDelivery, host: str, verdict: Verdict) -> None:
        """Not the URL: it may hold what only its producer is to know."""
        outcome = "failed" if verdict.state is DeliveryState.PENDING else verdict.state.value
        self._count(outcome)
        context = task_context(delivery.task_id) | {
            "webhook_id": delivery.webhook_id,
            "host": host,
            "callback_event": delivery.event,
        }
        match verdict.state:
            case DeliveryState.DELIVERED:
                logger.debug("a callback was delivered", extra=context)
            case DeliveryState.PENDING:
                logger.info("a callback is tried again", extra=context | {"why": verdict.error})
            case DeliveryState.DEAD:
                logger.warning("a callback is dead", extra=context | {"why": verdict.error})
                if verdict.status != GONE:
                    self._deaths.append(self._monotonic())

    async def _stop(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending, timeout=LAST_ANSWERS.total_seconds())
        await cancel_and_wait(*self._sending)
        nothing = LeaseLimits(most=0, each=0, held={})
        with contextlib.suppress(LedgerUnavailable):  # it is told again, under the same id
            await self._leases.exchange(self._tried, nothing, now=self._now())
