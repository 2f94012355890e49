"""Subscribers follow a task from run to run, each at its own pace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from coordinator.partial_output.output_checks import CheckedOutput
from coordinator.partial_output.output_items import (
    OutputChunk,
    OutputEnded,
    OutputItem,
    OutputMissing,
    OutputRun,
    OutputStarted,
)
from coordinator.partial_output.output_subscriptions import OutputSubscription, PartialOutput

RUN = OutputRun(generation=1, attempt=1, agent_id="ada", run="r")
NOW = datetime(2026, 5, 7, tzinfo=UTC)


def told(*chunks: str, first: int = 1, run: OutputRun = RUN, ended: bool = False) -> CheckedOutput:
    encoded = [f'"{chunk}"'.encode() for chunk in chunks]
    return CheckedOutput(task_id="t", run=run, first=first, chunks=encoded, ended=ended)


def partial_output(tail_bytes: int = 1000) -> PartialOutput:
    return PartialOutput(
        tail_bytes=tail_bytes, most_bytes=10**6, now=lambda: NOW, monotonic=lambda: 0.0
    )


async def next_of(items: OutputSubscription, count: int) -> list[OutputItem]:
    return [await anext(items) for _ in range(count)]


def chunk(number: int, text: str, run: OutputRun = RUN) -> OutputChunk:
    return OutputChunk(run=run, number=number, encoded=f'"{text}"'.encode())


async def test_a_subscriber_is_told_what_was_said_before_and_what_comes() -> None:
    output = partial_output()
    output.take(told("a"))
    with output.subscribe("t") as items:
        assert await next_of(items, 2) == [OutputStarted(run=RUN), chunk(1, "a")]
        more = asyncio.create_task(anext(items))
        await asyncio.sleep(0)
        assert not more.done()
        output.take(told("b", first=2, ended=True))
        assert await more == chunk(2, "b")
        assert await anext(items) == OutputEnded(run=RUN, last=2)


async def test_who_comes_before_the_first_run_misses_none_of_those_that_follow_quickly() -> None:
    output = partial_output()
    second = replace(RUN, attempt=2)
    with output.subscribe("t") as items:
        output.take(told("a"))
        output.take(told("b", run=second))
        assert await next_of(items, 4) == [
            OutputStarted(run=RUN),
            chunk(1, "a"),
            OutputStarted(run=second),
            chunk(1, "b", second),
        ]


async def test_a_subscriber_that_is_slow_is_told_what_it_missed_and_holds_up_nobody() -> None:
    output = partial_output(tail_bytes=6)
    with output.subscribe("t") as slow, output.subscribe("t") as quick:
        for number, text in enumerate("abcde", 1):
            output.take(told(text, first=number))
            if number == 1:
                await next_of(quick, 1)
            assert await anext(quick) == chunk(number, text)
        assert await next_of(slow, 4) == [
            OutputStarted(run=RUN),
            OutputMissing(run=RUN, first=1, last=3),
            chunk(4, "d"),
            chunk(5, "e"),
        ]


async def test_a_process_that_hears_nothing_for_a_while_says_so() -> None:
    output = partial_output()
    output.start_hearing()
    heard: list[datetime | None] = [output.heard_since]
    output.take(told("a"))
    with output.subscribe("t") as items:
        await next_of(items, 2)
        doubt = asyncio.create_task(anext(items))
        await asyncio.sleep(0)
        output.stop_hearing()
        assert await doubt == OutputMissing(run=RUN, first=2, last=None)
        heard.append(output.heard_since)
        output.take(told("d", first=4))
        assert await next_of(items, 2) == [
            OutputMissing(run=RUN, first=2, last=3),
            chunk(4, "d"),
        ]
    assert heard == [NOW, None]


async def test_closing_ends_the_one_who_waits_and_nobody_else() -> None:
    output = partial_output()
    with output.subscribe("t") as other:
        items = output.subscribe("t")
        waiting = asyncio.create_task(collect(items))
        await asyncio.sleep(0)
        assert output.subscribers == 2
        items.close()
        items.close()
        assert await waiting == []
        output.take(told("a"))
        assert len(await next_of(other, 2)) == 2
    assert output.subscribers == 0


async def collect(items: OutputSubscription) -> list[OutputItem]:
    return [item async for item in items]


async def test_what_is_at_hand_can_be_read_without_waiting() -> None:
    output = partial_output()
    with output.subscribe("t") as items:
        assert items.at_hand() == []
        output.take(told("a", "b"))
        assert await anext(items) == OutputStarted(run=RUN)
        assert items.at_hand() == [chunk(1, "a"), chunk(2, "b")]
        assert items.at_hand() == []
