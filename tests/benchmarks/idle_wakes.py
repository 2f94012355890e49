"""Wakes a sleeping fleet, with one task or with a burst, and tells how long each waited for its start."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from coordinator.protocol.priority import Priority

from .arena import PATIENCE, Entry
from .load import Body, submit_one, task_body

__all__ = ["Lanes", "burst", "lanes_of", "one_by_one"]

BURST_LASTS = 2.0
"""Seconds that each task of a burst takes: longer than all of them need to start."""

LONGEST = 90.0
"""Seconds of tasks one by one; fewer of them where a fleet is slower than that."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """So many, of which the first asks for nothing and each other for a capability of its own."""

    count: int

    @property
    def queues(self) -> list[str]:
        names = ["any", *(f"cap:c{lane}" for lane in range(1, self.count))]
        return [f"tasks.{name}.{priority.value}" for name in names for priority in Priority]

    def body(self, lane: int, priority: Priority, *, seconds: float = 0) -> Body:
        capability = f"c{lane}" if lane else ""
        return task_body(priority=priority.value, seconds=seconds, capability=capability)

    async def open(self, entry: Entry) -> None:
        """All their queues are there, and empty."""
        for lane in range(self.count):
            for priority in Priority:
                await submit_one(entry.base_url, self.body(lane, priority))
        for priority in Priority:
            cleared = await entry.http.post(f"/tasks/queues/{priority.value}/clear")
            cleared.raise_for_status()


def lanes_of(queues: int) -> int:
    """How many lanes have so many queues, or a few more."""
    return -(-queues // len(Priority))


async def one_by_one(entry: Entry, lanes: Lanes, count: int) -> list[float]:
    """``count`` tasks at random times, each to a queue by chance: seconds from sending each to its start."""
    entry.starts.forget()
    until = time.monotonic() + LONGEST
    sent = 0
    while sent < count and time.monotonic() < until:
        await asyncio.sleep(random.uniform(0.1, 0.5))
        body = lanes.body(random.randrange(lanes.count), random.choice(list(Priority)))
        await submit_one(entry.base_url, body)
        sent += 1
        await entry.starts.reach(sent, pause=0.01)
    return [start.at - start.sent for start in entry.starts.all()]


async def burst(entry: Entry, lanes: Lanes, count: int) -> list[float]:
    """``count`` tasks in one request, in turn to each lane, at normal priority: seconds from sending it to
    each start. Returns when all have ended.
    """
    entry.starts.forget()
    bodies = [
        lanes.body(number % lanes.count, Priority.NORMAL, seconds=BURST_LASTS)()
        for number in range(count)
    ]
    began = time.time()
    sent = await entry.http.post(
        "/tasks/submit/batch",
        content=b'{"tasks": [%b]}' % b",".join(bodies),
        headers={"Content-Type": "application/json"},
        timeout=PATIENCE,
    )
    sent.raise_for_status()
    assert sent.json()["accepted"] == count, sent.text
    await entry.starts.reach(count)
    starts = entry.starts.all()
    await asyncio.sleep(max(0.0, starts[-1].at + BURST_LASTS - time.time()))
    return [start.at - began for start in starts]
