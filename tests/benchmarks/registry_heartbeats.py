"""Heartbeats a second that a coordinator takes in from the broker.

The process is suspended while they are sent and the broker keeps them, so that they wait for it alone;
the time runs from its waking until the last one is told of over HTTP.
"""

from __future__ import annotations

import asyncio
import signal
import time

from coordinator.protocol.messages.events import Event

from .registry_feed import Feed, feeding
from .registry_http import connected
from .registry_ledgers import Contents, beat, book, registration
from .registry_process import processor_seconds
from .registry_stage import SQLITE, Service, Stage
from .registry_table import Figure

__all__ = ["heartbeats"]

AGENTS = 10_000
LOOK_EVERY = 0.02


async def heartbeats(stage: Stage) -> list[Figure]:
    rates: list[float] = []
    cpu: list[float] = []
    sent: list[float] = []
    async with (
        stage.filled(SQLITE, Contents(agents=AGENTS)) as database,
        stage.broker() as amqp_url,
        stage.service(database, amqp_url) as service,
        feeding(amqp_url) as feed,
    ):
        for number in range(stage.scale.rounds):
            first = 2 + number * (stage.scale.beats // AGENTS)
            beats = _beats(stage.scale.beats, first)
            began = time.perf_counter()
            seconds, used = await _round(service, feed, beats)
            sent.append(len(beats) / (time.perf_counter() - began - seconds))
            rates.append(len(beats) / seconds)
            cpu.append(len(beats) / used)
    what = f"heartbeats of {AGENTS} agents, taken in"
    return [
        Figure(what=what, unit="/s", rounds=rates, cpu=cpu, aim=f"{AGENTS // 10} /s"),
        Figure(what="  confirmed by the broker meanwhile", unit="/s", rounds=sent),
    ]


def _beats(count: int, first: int) -> list[Event]:
    """Of each agent in turn, from this place in its sequence on."""
    sources = book()
    fleet = [registration(number) for number in range(AGENTS)]
    return [
        Event(data=beat(fleet[number % AGENTS], sources, first + number // AGENTS))
        for number in range(count)
    ]


async def _round(service: Service, feed: Feed, beats: list[Event]) -> tuple[float, float]:
    """The seconds that it took, by the clock and of the processor."""
    last = beats[-1].data.subject
    sequence = beats[-1].data.model_dump()["sequence"]
    used = processor_seconds(service.process.pid)
    service.process.signal(signal.SIGSTOP)
    try:
        await feed.beat(beats)
    finally:
        service.process.signal(signal.SIGCONT)
    began = time.perf_counter()
    async with connected(service.base_url) as client:
        while True:
            agent = (await client.ask(f"/agents/{last}"))["agent"]
            if agent["load_metrics"].get("sequence") == sequence:
                break
            await asyncio.sleep(LOOK_EVERY)
    return time.perf_counter() - began, processor_seconds(service.process.pid) - used
