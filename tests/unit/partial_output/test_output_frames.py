"""Partial output as frames of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from coordinator.partial_output.output_checks import CheckedOutput
from coordinator.partial_output.output_frames import (
    FRAME_BYTES,
    REMEMBERED_BYTES,
    OutputFrame,
    OutputFrames,
)
from coordinator.partial_output.output_items import OutputRun
from coordinator.partial_output.output_subscriptions import PartialOutput

RUN = OutputRun(generation=1, attempt=2, agent_id="ada", run="r")
OF_RUN = {"task_id": "t", "generation": 1, "attempt": 2, "agent_id": "ada", "run": "r"}


def told(*chunks: str, first: int = 1, ended: bool = False) -> CheckedOutput:
    encoded = [json.dumps(chunk).encode() for chunk in chunks]
    return CheckedOutput(task_id="t", run=RUN, first=first, chunks=encoded, ended=ended)


class Put:
    def __init__(self) -> None:
        self.frames: list[OutputFrame] = []

    def __call__(self, frames: Sequence[OutputFrame], size: int) -> None:
        assert size >= sum(len(one.frame) for one in frames)
        self.frames += frames

    @property
    def read(self) -> list[tuple[str, dict[str, Any]]]:
        """The name and the data of each."""
        found = []
        for one in self.frames:
            name, data, *rest = one.frame.decode().split("\n")
            assert rest == ["", ""]
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        return found


def partial_output(tail_bytes: int = 100_000) -> PartialOutput:
    return PartialOutput(
        tail_bytes=tail_bytes,
        most_bytes=10**6,
        now=lambda: datetime.now(UTC),
        monotonic=lambda: 0.0,
    )


async def test_what_is_kept_comes_first_and_what_is_told_then_as_it_comes() -> None:
    output, put = partial_output(), Put()
    output.take(told("Hel", "lo\n"))
    with OutputFrames(output).watched("t", put):
        assert put.read == [
            ("output.started", OF_RUN),
            ("output.chunks", OF_RUN | {"first": 1, "chunks": ["Hel", "lo\n"]}),
        ]
        put.frames.clear()
        output.take(told("you", first=5))
        output.stop_hearing()
        await asyncio.sleep(0)
        output.take(told(first=8, ended=True))
        await asyncio.sleep(0)
        assert put.read == [
            ("output.missing", OF_RUN | {"first": 3, "last": 4}),
            ("output.chunks", OF_RUN | {"first": 5, "chunks": ["you"]}),
            ("output.missing", OF_RUN | {"first": 6, "last": None}),
            ("output.missing", OF_RUN | {"first": 6, "last": 7}),
            ("output.ended", OF_RUN | {"last": 7}),
        ]
        put.frames.clear()
    output.take(told("nobody", first=9))
    assert put.frames == []
    assert output.subscribers == 0


async def test_what_comes_in_one_turn_of_the_loop_is_one_frame() -> None:
    output, put = partial_output(), Put()
    with OutputFrames(output).watched("t", put):
        for number in range(1, 6):
            output.take(told(str(number), first=number))
        assert put.frames == []
        await asyncio.sleep(0)
        assert put.read[1:] == [
            ("output.chunks", OF_RUN | {"first": 1, "chunks": ["1", "2", "3", "4", "5"]})
        ]
        output.take(told("6", first=6))
    await asyncio.sleep(0)
    assert len(put.frames) == 2


async def test_frames_that_are_kept_for_others_take_a_bounded_part_of_the_memory() -> None:
    output, put = partial_output(tail_bytes=100_000), Put()
    frames = OutputFrames(output)
    with frames.watched("t", put):
        for number in range(1, 201):
            output.take(told("x" * 60_000, first=number))
            await asyncio.sleep(0)
    assert sum(one.size for one in frames._remembered.values()) <= REMEMBERED_BYTES
    assert len(put.frames) == 201


async def test_the_end_is_waited_for_no_longer_than_until_it_was_told() -> None:
    output, put = partial_output(), Put()
    output.take(told("a"))
    with OutputFrames(output).watched("t", put) as watch:
        said = asyncio.create_task(watch.said())
        await asyncio.sleep(0)
        assert not said.done()
        output.take(told("b", first=2, ended=True))
        for _ in range(3):
            await asyncio.sleep(0)
        assert said.done()
        assert put.read[-1] == ("output.ended", OF_RUN | {"last": 2})


async def test_those_who_keep_up_are_given_the_same_frame() -> None:
    output = partial_output()
    frames = OutputFrames(output)
    one, other = Put(), Put()
    with frames.watched("t", one), frames.watched("t", other):
        output.take(told("a", "b"))
        await asyncio.sleep(0)
        assert one.read == other.read
        assert one.frames[1] is other.frames[1]


async def test_a_frame_holds_a_bounded_part_of_a_long_tail() -> None:
    output, put = partial_output(), Put()
    text = "x" * 1000
    for number in range(1, 61):
        output.take(told(text, first=number))
    with OutputFrames(output).watched("t", put):
        pass
    chunks = [data["chunks"] for name, data in put.read if name == "output.chunks"]
    assert [one for some in chunks for one in some] == [text] * 60
    assert len(chunks) > 1
    assert all(len(one.frame) < 2 * FRAME_BYTES for one in put.frames)
