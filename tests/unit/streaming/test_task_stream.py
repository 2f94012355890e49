"""One task's stream over a ledger in memory: its timeline, what it says beside that, and its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from coordinator.errors import LedgerUnavailable
from coordinator.streaming.event_cursor import EventCursor
from coordinator.streaming.event_feed import EventFeed
from coordinator.streaming.event_filter import EventFilter
from coordinator.streaming.feed_pace import FeedPace
from coordinator.streaming.task_stream import TaskItem, TaskStream, TaskWatch, as_they_are
from tests.support.recorded import MemoryEvents, recorded
from tests.support.server_sent_events import Frame, parsed
from tests.support.waiting import eventually

PACE = FeedPace(page=2, looks_every=0.02, per_round=0.0, per_delivery=0.0, per_comparison=0.0)


@dataclass(frozen=True)
class Word:
    """Something that a running attempt says."""

    text: str

    @property
    def frame(self) -> bytes:
        return f"event: said\ndata: {self.text}\n\n".encode()

    @property
    def message(self) -> str | None:
        return None

    @property
    def size(self) -> int:
        return 100


class Words:
    """Fits `TaskItems`; two words were said before anybody watched."""

    def __init__(self) -> None:
        self.puts: list[Callable[[Sequence[TaskItem], int], None]] = []
        self.last: list[str] = []

    @contextlib.contextmanager
    def watched(
        self, task_id: str, put: Callable[[Sequence[TaskItem], int], None]
    ) -> Iterator[TaskWatch]:
        assert task_id == "t"
        self.puts.append(put)
        self.say("a", "b")
        try:
            yield self
        finally:
            self.puts.remove(put)

    def watched_all(
        self, put: Callable[[Sequence[TaskItem], int], None]
    ) -> contextlib.AbstractContextManager[None]:
        raise NotImplementedError(put)

    async def said(self) -> None:
        """Nothing is expected any more, once the last of it has come."""
        last, self.last = self.last, []
        self.say(*last)

    def say(self, *texts: str) -> None:
        for put in self.puts:
            put([Word(text) for text in texts], 100 * len(texts))


class Side:
    def __init__(self) -> None:
        self.ledger = MemoryEvents(recorded(1, "task.submitted", "other", state="queued"))
        self.feed = EventFeed(self.ledger, follow=self._nobody, most=10, pace=PACE)
        self.words = Words()
        self.task: dict[str, Any] | None = {"task_id": "t", "result": 7}
        self.away = False

    async def _nobody(self) -> None:
        """Nobody folds."""

    def happens(self, position: int, kind: str, state: str | None) -> None:
        self.ledger.events.append(recorded(position, kind, "t", state=state))
        self.feed.nudge()

    async def ended(self) -> dict[str, Any] | None:
        if self.away:
            raise LedgerUnavailable
        return self.task

    @contextlib.asynccontextmanager
    async def stream(self, after: int = 0) -> AsyncIterator[AsyncIterator[Frame]]:
        wanted = EventFilter(task_ids=frozenset({"t"}))
        cursor: EventCursor[Any] = EventCursor(self.feed, wanted, as_they_are, after=after)
        await cursor.open()
        stream = TaskStream(
            "t",
            cursor,
            settled=self.feed.settled_state,
            ended=self.ended,
            others=[self.words],
        )
        feeding = asyncio.create_task(self.feed.run())
        try:
            yield frames(stream)
        finally:
            stream.unwatch()
            cursor.close()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


async def frames(stream: TaskStream) -> AsyncIterator[Frame]:
    async for piece in stream.frames():
        for text in piece.decode().split("\n\n"):
            if text and (frame := parsed(text)).data is not None:
                yield frame


@pytest.fixture
def side() -> Side:
    return Side()


async def told(stream: AsyncIterator[Frame], count: int) -> list[str | None]:
    async with asyncio.timeout(20):
        return [(await anext(stream)).event for _ in range(count)]


async def rest(stream: AsyncIterator[Frame]) -> list[Frame]:
    async with asyncio.timeout(20):
        return [frame async for frame in stream]


async def test_a_task_is_streamed_from_its_submission_to_its_end(side: Side) -> None:
    side.happens(2, "task.submitted", "queued")
    side.happens(3, "task.started", "running")
    async with side.stream() as stream:
        assert await told(stream, 4) == ["task.submitted", "task.started", "said", "said"]
        side.words.say("c")
        assert await told(stream, 1) == ["said"]
        side.happens(4, "task.progress", "running")
        assert await told(stream, 1) == ["task.progress"]
        side.words.say("d")
        side.happens(5, "task.completed", "completed")
        *some, end = await rest(stream)
        assert [frame.event for frame in some] == ["said", "task.completed"]
        assert (end.event, end.id, end.json["reason"]) == ("stream.end", "end", "task-ended")
        assert end.json["task"] == side.task
    assert side.words.puts == []
    assert side.feed.streams == 0


async def test_what_is_said_after_the_end_is_known_comes_before_the_end_is_told(side: Side) -> None:
    side.happens(2, "task.completed", "completed")
    side.words.last = ["c", "d"]
    async with side.stream() as stream:
        found = [(frame.event, frame.data) for frame in await rest(stream)]
    said = [("said", text) for text in ("a", "b", "c", "d")]
    assert found[1:-1] == said
    assert found[-1][0] == "stream.end"


@pytest.mark.parametrize("after", [0, 2, 3, 9])
async def test_a_task_that_has_ended_is_told_at_once(side: Side, after: int) -> None:
    side.happens(2, "task.submitted", "queued")
    side.happens(3, "task.cancelled", "cancelled")
    side.ledger.events += [recorded(one, subject="other", state="running") for one in range(4, 9)]
    async with side.stream(after) as stream:
        found = [frame.event for frame in await rest(stream)]
    assert found[-1] == "stream.end"
    assert "stream.incomplete" not in found
    right = ["task.submitted", "task.cancelled"][max(0, after - 1) :]
    assert [one for one in found if one and one.startswith("task.")] == right


async def test_events_of_a_ledger_of_before_have_no_state_and_the_end_is_told_all_the_same(
    side: Side,
) -> None:
    side.happens(2, "task.submitted", None)
    side.happens(3, "task.completed", None)

    async def state_of(task_id: str) -> tuple[str | None, int]:
        return "completed", 3

    side.ledger.state_of = state_of  # type: ignore[method-assign]
    async with side.stream() as stream:
        found = [frame.event for frame in await rest(stream)]
    assert found[:2] == ["task.submitted", "task.completed"]
    assert found[-1] == "stream.end"


async def test_a_task_that_was_redriven_goes_on(side: Side) -> None:
    side.happens(2, "task.failed", "dead")
    side.task = None
    async with side.stream() as stream:
        assert await told(stream, 3) == ["task.failed", "said", "said"]
        side.happens(3, "task.submitted", "queued")
        assert await told(stream, 1) == ["task.submitted"]
        side.task = {"task_id": "t"}
        side.happens(4, "task.completed", "completed")
        assert await told(stream, 2) == ["task.completed", "stream.end"]


async def test_who_does_not_read_what_is_said_is_cut_off(side: Side) -> None:
    side.happens(2, "task.started", "running")
    async with side.stream() as stream:
        assert await told(stream, 3) == ["task.started", "said", "said"]
        waiting = asyncio.ensure_future(anext(stream))
        await eventually(lambda: bool(side.words.puts))
        for number in range(20_000):
            side.words.say(str(number))
        *_, end = [await waiting, *await rest(stream)]
        assert end.json["reason"] == "too-slow"


async def test_a_database_that_is_away_ends_it_with_a_word(side: Side) -> None:
    side.happens(2, "task.completed", "completed")
    side.away = True
    async with side.stream() as stream:
        *_, end = await rest(stream)
    assert end.json["reason"] == "unavailable"
