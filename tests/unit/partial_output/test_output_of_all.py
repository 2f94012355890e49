"""The partial output of all tasks, for one who follows from some moment on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from coordinator.partial_output.output_checks import CheckedOutput
from coordinator.partial_output.output_frames import OutputFrame, OutputFrames
from coordinator.partial_output.output_items import OutputRun
from coordinator.partial_output.output_subscriptions import PartialOutput
from coordinator.partial_output.output_tails import FORGOTTEN_AFTER, KEPT_AFTER_END


class Side:
    """A process that hears output, and who follows all of it."""

    def __init__(self, most_bytes: int = 10**6) -> None:
        self.seconds = 0.0
        self.output = PartialOutput(
            tail_bytes=10_000,
            most_bytes=most_bytes,
            now=lambda: datetime.now(UTC),
            monotonic=lambda: self.seconds,
        )
        self._messages: list[dict[str, Any]] = []

    def say(
        self, task_id: str, *chunks: str, first: int = 1, ended: bool = False, attempt: int = 1
    ) -> None:
        run = OutputRun(generation=1, attempt=attempt, agent_id="ada", run=f"{task_id}-{attempt}")
        encoded = [json.dumps(chunk).encode() for chunk in chunks]
        self.output.take(
            CheckedOutput(task_id=task_id, run=run, first=first, chunks=encoded, ended=ended)
        )

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        def put(frames: Sequence[OutputFrame], size: int) -> None:
            assert size > 0
            self._messages += [json.loads(one.message) for one in frames]

        with OutputFrames(self.output).watched_all(put):
            yield

    async def told(self) -> list[tuple[Any, ...]]:
        """What came since the last call: the task, what it is, and its numbers or chunks."""
        await asyncio.sleep(0)
        told, self._messages = self._messages, []
        assert {one["topic"] for one in told} <= {"output"}
        return [
            (
                one["task_id"],
                one["type"].removeprefix("output."),
                *(one[name] for name in ("first", "last", "chunks") if name in one),
            )
            for one in told
        ]


async def test_what_any_task_says_from_now_on_is_told_in_its_order() -> None:
    side = Side()
    side.say("over", "x", ended=True)
    with side.followed():
        side.say("a", "1", "2")
        side.say("b", "x")
        side.say("a", "5", first=5, ended=True)
        assert await side.told() == [
            ("a", "started"),
            ("a", "chunks", 1, ["1", "2"]),
            ("a", "missing", 3, 4),
            ("a", "chunks", 5, ["5"]),
            ("a", "ended", 5),
            ("b", "started"),
            ("b", "chunks", 1, ["x"]),
        ]
        side.say("a", "1", attempt=2)
        side.say("b", "y", first=2)
        assert await side.told() == [
            ("a", "started"),
            ("a", "chunks", 1, ["1"]),
            ("b", "chunks", 2, ["y"]),
        ]
    side.say("b", "z", first=3)
    assert await side.told() == []
    assert side.output.subscribers == 0


async def test_of_a_run_under_way_what_it_has_said_is_told_to_be_missing() -> None:
    side = Side()
    side.say("a", "1", "2")
    with side.followed():
        assert await side.told() == []
        side.say("a", "3", first=3)
        assert await side.told() == [
            ("a", "started"),
            ("a", "missing", 1, 2),
            ("a", "chunks", 3, ["3"]),
        ]


async def test_a_message_that_comes_again_after_the_end_tells_nothing_anew() -> None:
    side = Side()
    with side.followed():
        side.say("a", "1", ended=True)
        assert len(await side.told()) == 3
        side.say("a", "1", ended=True)
        side.say("a", ended=True, first=2)
        assert await side.told() == []


async def test_whoever_follows_all_keeps_no_task_from_being_forgotten() -> None:
    side = Side()
    with side.followed():
        for number in range(200):
            side.say(f"lost-{number}", "x")
            side.say(f"over-{number}", "x", ended=True)
        await side.told()
        side.seconds = KEPT_AFTER_END + 1
        side.output.forget()
        assert len(side.output.tails) == 200
        side.seconds = FORGOTTEN_AFTER + 1
        side.output.forget()
        assert len(side.output.tails) == 0
        side.say("lost-7", "y", first=2)
        assert await side.told() == [
            ("lost-7", "started"),
            ("lost-7", "missing", 1, 1),
            ("lost-7", "chunks", 2, ["y"]),
        ]


async def test_what_may_have_been_missed_is_told_of_each_that_has_not_ended() -> None:
    side = Side()
    with side.followed():
        side.say("a", "1")
        side.say("b", "1", ended=True)
        await side.told()
        side.output.stop_hearing()
        assert await side.told() == [("a", "missing", 2, None)]


async def test_no_more_memory_is_taken_than_without_a_follower() -> None:
    side = Side(most_bytes=20_000)
    with side.followed():
        for number in range(300):
            side.say(f"t-{number}", "x" * 500)
            assert (await side.told())[-1][:2] == (f"t-{number}", "chunks")
            assert side.output.tails.memory <= 20_000
