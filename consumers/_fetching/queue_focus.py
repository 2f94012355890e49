"""Consumes one queue as fast as plain prefetch, as long as it is the best one and its tasks are short."""

from __future__ import annotations

from coordinator.protocol.task_queue import TaskQueue

from .._working.task_executor import TaskExecutor
from .fetch_policy import MAX_UNTOLD, Verdict, focus_window, is_brisk, stay_focused
from .push_consumer import PushConsumer
from .queue_probe import QueueProbe
from .wakeups import Wakeups

__all__ = ["PROBE_EVERY", "QueueFocus"]

PROBE_EVERY = 0.05
"""Seconds between two probes of the queues while one is focused on."""


class QueueFocus:
    """Focuses on a queue until a better one has work, or the tasks become slow or few."""

    def __init__(
        self, executor: TaskExecutor, probe: QueueProbe, push: PushConsumer, wakeups: Wakeups
    ) -> None:
        self._executor = executor
        self._probe = probe
        self._push = push
        self._wakeups = wakeups

    async def __call__(self, source: TaskQueue) -> None:
        executor, slots = self._executor, self._executor.slots.count
        mean = executor.pace.mean(source)
        window = focus_window(mean, executor.free)
        began = last_any = self._wakeups.now()
        await self._push.start(source, what="focus", window=window)
        verdict = Verdict.STAY
        stuck = False
        while verdict is Verdict.STAY and self._push.on and not self._wakeups.stopped:
            before = executor.ended
            await self._wakeups.pause(PROBE_EVERY)
            now = self._wakeups.turn()
            if executor.backlog and executor.ended == before:
                stuck = True  # slow ones among them: what waits behind them is for others
                break
            found = await self._probe(1)
            if executor.backlog or any(one.source == source for one in found.waiting):
                last_any = now
            mean = executor.pace.mean(source)
            verdict = stay_focused(
                source,
                found,
                brisk=is_brisk(mean, slots) and len(executor.untold) < MAX_UNTOLD,
                idle=executor.free > 0,
                focused_for=now - began,
                dry_for=now - last_any,
            )
            if focus_window(mean, slots) > 2 * window and executor.free:
                break  # there is room for more
        await self._push.stop()
        if stuck:
            executor.backlog.give_back_surplus()
