"""Streams over a ledger in memory: nothing is missing, nothing double, and it is told where one ends."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_json
from sse_starlette.event import ServerSentEvent

from coordinator.errors import LedgerUnavailable, StreamRefused
from coordinator.registry.feed.folded_page import FoldedPage
from coordinator.registry.feed.recorded_events import RecordedEvent
from coordinator.streaming.event_cursor import EventCursor
from coordinator.streaming.event_feed import EventFeed
from coordinator.streaming.event_filter import ALL, EventFilter
from coordinator.streaming.event_stream import EventStream
from coordinator.streaming.feed_pace import FeedPace
from coordinator.streaming.streamed_event import StreamedEvent, joined_frames
from tests.support.recorded import MemoryEvents, recorded
from tests.support.server_sent_events import Frame, parsed
from tests.support.waiting import eventually

PACE = FeedPace(
    page=10, looks_every=0.02, per_round=0.0, per_delivery=0.0, per_comparison=0.0, warm=20
)


async def yes() -> bool:
    return True


class Side:
    """A feed over a ledger, and who streams from it."""

    def __init__(self, *positions: int, pace: FeedPace = PACE, most: int = 100) -> None:
        self.ledger = MemoryEvents(*(recorded(one) for one in positions))
        self.followed = 0
        self.cut_off = 0
        self.feed = EventFeed(
            self.ledger, follow=self._follow, most=most, pace=pace, cut=self._count_cut_off
        )

    def _count_cut_off(self) -> None:
        self.cut_off += 1

    async def _follow(self) -> None:
        self.followed += 1

    def happens(self, *positions: int, **fields: object) -> None:
        self.ledger.events += [recorded(one, **fields) for one in positions]  # type: ignore[arg-type]
        self.feed.nudge()

    def folds(self, after: int, *positions: int, **fields: object) -> None:
        """This process has appended these to what ends at ``after``."""
        events = [recorded(one, **fields) for one in positions]  # type: ignore[arg-type]
        self.ledger.events += events
        page = FoldedPage(after=after, events=events, reached=positions[-1])
        self.feed.folded(lambda: page)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loops = [self.feed.run(), self.feed.keep_following()]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        after: int | None = None,
        wanted: EventFilter = ALL,
        allowed: Callable[[], Awaitable[bool]] = yes,
        pulse: float = 100,
        follow: bool = True,
    ) -> AsyncIterator[Reader]:
        cursor = EventCursor(
            self.feed,
            wanted,
            joined_frames,
            after=after,
            follow=follow,
            allowed=allowed,
            pulse=pulse,
        )
        await cursor.open()
        reader = Reader(EventStream(cursor))
        try:
            yield reader
        finally:
            await reader.close()
            cursor.close()


class Reader:
    """Takes frames when it is asked to."""

    def __init__(self, stream: EventStream) -> None:
        self.stream = stream
        self._pieces = stream.frames()
        self._frames: list[Frame] = []

    async def frame(self) -> Frame | None:
        while not self._frames:
            try:
                async with asyncio.timeout(20):
                    piece = await anext(self._pieces)
            except StopAsyncIteration:
                return None
            self._frames = [parsed(text) for text in piece.decode().split("\n\n") if text]
        return self._frames.pop(0)

    async def next(self) -> Frame:
        while (frame := await self.frame()) is not None:
            if frame.data is not None:
                return frame
        raise AssertionError("it has ended")

    async def positions(self, count: int) -> list[int]:
        return [(await self.next()).position for _ in range(count)]

    async def close(self) -> None:
        await self._pieces.aclose()  # type: ignore[attr-defined]


async def test_it_begins_with_its_position_and_goes_on_with_what_happens_from_then_on() -> None:
    side = Side(1, 2)
    async with side.running(), side.stream() as reader:
        opening = await reader.frame()
        assert opening is not None
        assert (opening.comment, opening.id, opening.data) == ("connected", "2", None)
        side.happens(3, 4)
        assert await reader.positions(2) == [3, 4]
        event = recorded(
            5, "task.failed", state="dead", priority="low", data={"error": {"type": "E"}}
        )
        side.ledger.events.append(event)
        frame = await reader.next()
        assert (frame.id, frame.event) == ("5", "task.failed")
        assert frame.json == {
            "specversion": "1.0",
            "id": "event-5",
            "type": "task.failed",
            "source": "/agents/ada",
            "subject": "t",
            "time": "2026-01-31T12:00:00+00:00",
            "datacontenttype": "application/json",
            "data": {"task_id": "t", "state": "dead", "priority": "low", "error": {"type": "E"}},
        }


@pytest.mark.parametrize("after", [0, 7, 30, 57, 60])
async def test_all_after_a_position_is_replayed_and_then_it_goes_on_live(after: int) -> None:
    side = Side(*range(1, 61))
    async with side.running(), side.stream(after) as reader:
        assert await reader.positions(60 - after) == list(range(after + 1, 61))
        side.happens(61)
        assert await reader.positions(1) == [61]


@pytest.mark.parametrize(("after", "first"), [(None, 1), (0, 1), (7, 8), (24, 25), (25, 26)])
async def test_who_does_not_follow_is_given_what_there_is_and_where_it_ends(
    after: int | None, first: int
) -> None:
    side = Side(*range(1, 26))
    async with side.running(), side.stream(after, follow=False) as reader:
        assert await reader.positions(26 - first) == list(range(first, 26))
        end = await reader.next()
        assert (end.event, end.position, end.json["reason"]) == ("stream.end", 25, "caught-up")
        assert await reader.frame() is None


async def test_who_does_not_follow_is_not_kept_by_what_happens_while_it_reads() -> None:
    side = Side(*range(1, 12))
    async with side.stream(follow=False) as reader:
        assert await reader.positions(1) == [1]
        side.happens(*range(12, 100))
        told = await reader.positions(19)  # the page that it reads last has some of those
        assert told == list(range(2, 21))
        assert (await reader.next()).event == "stream.end"


async def test_who_does_not_follow_and_has_a_position_is_told_what_is_missing() -> None:
    side = Side(1, 2, 3, 4)
    side.ledger.delete(2)
    async with side.stream(1, follow=False) as reader:
        assert (await reader.next()).event == "stream.incomplete"
        assert await reader.positions(2) == [3, 4]
    async with side.stream(follow=False) as reader:
        assert await reader.positions(3) == [1, 3, 4]


async def test_whoever_comes_and_goes_at_any_moment_misses_nothing_and_gets_nothing_twice() -> None:
    chance = random.Random(7)
    side = Side()
    total = 400

    async def produce() -> None:
        for position in range(1, total + 1):
            side.happens(position)
            if chance.random() < 0.3:
                await asyncio.sleep(0)

    async def collect() -> list[int]:
        found: list[int] = []
        after: int | None = 0
        while len(found) < total:
            async with side.stream(after) as reader:
                for _ in range(chance.randint(1, 60)):
                    if len(found) == total:
                        break
                    found += await reader.positions(1)
            after = found[-1]
            await asyncio.sleep(chance.random() * 0.01)
        return found

    async with side.running():
        collectors = [asyncio.create_task(collect()) for _ in range(20)]
        await produce()
        for one in await asyncio.gather(*collectors):
            assert one == list(range(1, total + 1))


async def test_filters_pick_events_live_as_they_do_in_a_replay() -> None:
    side = Side()
    wants = {
        "tasks": EventFilter(task_ids=frozenset({"a", "b"})),
        "agents": EventFilter(agent_ids=frozenset({"bob"})),
        "types": EventFilter(types=frozenset({"task.failed"})),
        "states": EventFilter(states=frozenset({"dead"})),
        "priorities": EventFilter(priorities=frozenset({"high"})),
        "own": EventFilter(submitted_by="key:shop"),
        "groups": EventFilter(groups=frozenset({"g", "h"})),
        "tags": EventFilter(tags=frozenset({"x", "y"})),
        "tag and group": EventFilter(tags=frozenset({"x"}), groups=frozenset({"h"})),
        "two": EventFilter(states=frozenset({"dead"}), task_ids=frozenset({"a"})),
    }
    events = [
        recorded(1, subject="a", priority="high", state="running", submitted_by="key:shop"),
        recorded(2, "agent.registered", "a", author="a"),
        recorded(3, subject="c", author="bob", state="running", group="g", tags=("x",)),
        recorded(4, "agent.registered", "bob", author=None),
        recorded(5, "task.failed", "b", state="dead", priority="high"),
        recorded(6, "task.failed", "a", state="dead", submitted_by="key:shop"),
        recorded(7, "task.completed", "c", author=None, priority="low", group="h", tags=("w", "x")),
    ]
    right = {
        "tasks": [1, 5, 6],
        "agents": [3, 4],
        "types": [5, 6],
        "states": [5, 6],
        "priorities": [1, 5],
        "own": [1, 6],
        "groups": [3, 7],
        "tags": [3, 7],
        "tag and group": [7],
        "two": [6],
    }
    async with side.running(), contextlib.AsyncExitStack() as stack:
        readers = {
            name: await stack.enter_async_context(side.stream(0, wanted))
            for name, wanted in wants.items()
        }
        for reader in readers.values():
            await reader.frame()
        joins = {
            name: asyncio.create_task(readers[name].positions(len(right[name]))) for name in wants
        }
        await eventually(lambda: side.feed.head == 0 and len(side.ledger.reads) > 1)
        side.ledger.events += events
        side.feed.nudge()
        assert {name: await found for name, found in joins.items()} == right
        for name, wanted in wants.items():
            async with side.stream(0, wanted) as again:
                assert await again.positions(len(right[name])) == right[name]


async def test_an_event_is_encoded_once_for_all_subscribers_and_not_at_all_where_nobody_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    tell = RecordedEvent.told

    def telling(one: RecordedEvent) -> dict[str, Any] | None:
        told.append(one.position)
        return tell(one)

    monkeypatch.setattr(RecordedEvent, "told", telling)
    side = Side(1)
    nobodys = EventFilter(task_ids=frozenset({"other"}))
    async with side.running(), contextlib.AsyncExitStack() as stack:
        wants = [ALL] * 20 + [EventFilter(types=frozenset({"task.started"}))] * 20 + [nobodys]
        readers = [await stack.enter_async_context(side.stream(None, one)) for one in wants]
        for reader in readers:
            await reader.frame()
        finds = [asyncio.create_task(reader.positions(1)) for reader in readers[:-1]]
        await asyncio.sleep(0)
        side.happens(2)
        side.happens(3, kind="agent.stopped", subject="ada")
        assert [await one for one in finds] == [[2]] * 40
        assert told.count(2) == 1
        async with side.stream(1) as late:
            assert await late.positions(2) == [2, 3]
        assert sorted(told) == [2, 3]


@pytest.mark.parametrize(
    "event",
    [
        recorded(7, "task.failed", 'a"b\\c\nü\x01', state="dead", tags=("x", "y"), author='é"/'),
        recorded(8, "agent.stopped", "ada", author=None, event_id='i"\u2028'),
        recorded(9, subject="", author=None),
    ],
    ids=["a task", "an agent", "no subject"],
)
def test_the_line_of_an_event_is_its_cloudevent(event: RecordedEvent) -> None:
    line = StreamedEvent(event).json
    assert line is not None
    assert "\n" not in line
    found = json.loads(line)
    assert found == json.loads(to_json(event.cloudevent()))
    assert list(found) == list(event.cloudevent() or {})


def test_a_frame_is_what_sse_starlette_writes_whatever_ends_of_lines_the_data_has() -> None:
    event = StreamedEvent(recorded(7, "task.failed", data={"why": "a\nb\rc\r\nd\u2028e"}))
    right = ServerSentEvent(event.json, event="task.failed", id="7", sep="\n")
    assert event.frame == right.encode()
    assert event.frame.count(b"\n") == 4


async def test_one_query_a_wake_up_serves_all_subscribers_and_nobody_asks_while_there_are_none() -> (
    None
):
    side = Side(pace=FeedPace(looks_every=100, per_delivery=0.0))
    async with side.running():
        await asyncio.sleep(0)
        side.feed.nudge()
        await asyncio.sleep(0.01)
        assert (side.ledger.reads, side.followed) == ([], 0)
        async with contextlib.AsyncExitStack() as stack:
            readers = [await stack.enter_async_context(side.stream()) for _ in range(30)]
            finds = [asyncio.create_task(reader.positions(1)) for reader in readers]
            await eventually(lambda: side.ledger.reads == [0])
            side.happens(1)
            assert [await one for one in finds] == [[1]] * 30
            assert (side.ledger.reads, side.followed) == ([0, 0], 1)


async def test_what_this_process_folds_is_given_without_a_query() -> None:
    side = Side(1, pace=replace(PACE, looks_every=100))
    async with side.running(), side.stream() as reader:
        await reader.frame()
        await eventually(lambda: side.ledger.reads == [1])
        side.folds(1, 2, 3)
        side.folds(3, 5)
        assert await reader.positions(3) == [2, 3, 5]
        assert side.ledger.reads == [1]
        side.folds(6, 7)  # position 6 was folded by another process
        side.ledger.events.insert(-1, recorded(6))
        assert await reader.positions(2) == [6, 7]
        assert side.ledger.reads == [1, 5]


async def test_nothing_is_made_of_what_is_folded_while_nobody_subscribes() -> None:
    side = Side(1)
    made: list[int] = []

    def page() -> None:
        made.append(1)

    async with side.running():
        side.feed.folded(page)
        async with side.stream() as reader:
            await reader.frame()
            side.feed.folded(page)
        side.feed.folded(page)
    assert made == [1]


async def test_whoever_folds_nothing_is_missing_and_nothing_double() -> None:
    """This process and another fold by turns, and some is too large to be handed over."""
    chance = random.Random(11)
    side = Side(0)
    total = 600

    async def produce() -> None:
        end = 0
        while end < total:
            positions = range(end + 1, min(total, end + chance.randint(1, 25)) + 1)
            match chance.randint(0, 3):
                case 0:
                    side.happens(*positions)
                case 1:
                    side.ledger.events += [recorded(one) for one in positions]
                    side.feed.folded(lambda: None)
                case _:
                    side.folds(end, *positions)
            end = positions[-1]
            for _ in range(chance.randint(0, 6)):
                await asyncio.sleep(0)

    async def collect(until: int) -> list[int]:
        found: list[int] = []
        after: int | None = 0
        while len(found) < until:
            async with side.stream(after) as reader:
                found += await reader.positions(min(until - len(found), chance.randint(1, 90)))
            after = found[-1]
        return found

    async with side.running(), side.stream() as all_the_time:
        await all_the_time.frame()
        collectors = [asyncio.create_task(collect(total)) for _ in range(10)]
        whole = asyncio.create_task(all_the_time.positions(total))
        await produce()
        for found in await asyncio.gather(whole, *collectors):
            assert found == list(range(1, total + 1))


async def test_a_reader_that_does_not_keep_up_is_cut_off_and_comes_back_where_it_was() -> None:
    side = Side()
    long = {"data": {"text": "x" * 10_000}}
    async with side.running(), side.stream() as slow, side.stream() as quick:
        await slow.frame()
        finds = asyncio.create_task(slow.positions(1))
        side.happens(1, **long)
        seen = await finds
        assert await quick.positions(1) == [1]
        for position in range(2, 401):
            side.happens(position, **long)
            assert await quick.positions(1) == [position]
        await eventually(lambda: side.feed.head == 400)
        while (frame := await slow.next()).event != "stream.end":
            seen.append(frame.position)
        assert frame.json["reason"] == "too-slow"
        assert await slow.frame() is None
        assert side.cut_off == 1
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) < 400
        async with side.stream(seen[-1]) as again:
            assert await again.positions(400 - len(seen)) == list(range(len(seen) + 1, 401))


async def test_what_was_deleted_is_told_and_never_passed_over_in_silence() -> None:
    side = Side(*range(1, 41))
    side.ledger.delete(5, 6, 33)
    async with side.running(), side.stream(2) as reader, side.stream(35) as later:
        notice = await reader.next()
        assert (notice.event, notice.id) == ("stream.incomplete", None)
        assert (notice.json["after"], notice.json["until"]) == (2, 33)
        kept = [one for one in range(3, 41) if one not in (5, 6, 33)]
        assert await reader.positions(len(kept)) == kept
        assert await later.positions(5) == list(range(36, 41))
        # Between its commit and the feed's look at it.
        side.ledger.events += [recorded(41), recorded(43)]
        side.ledger.forgotten_to = 42
        side.feed.nudge()
        for one in (reader, later):
            notice = await one.next()
            assert (notice.event, notice.json["until"]) == ("stream.incomplete", 42)
            assert await one.positions(2) == [41, 43]
        async with side.stream(40) as again:
            assert (await again.next()).event == "stream.incomplete"
            assert await again.positions(2) == [41, 43]
        async with side.stream(42) as whole:
            assert await whole.positions(1) == [43]


async def test_a_position_that_the_ledger_has_not_reached_is_told_and_begun_from_its_end() -> None:
    side = Side(1, 2)
    async with side.running(), side.stream(99) as reader:
        notice = await reader.next()
        assert (notice.event, notice.position, notice.json["until"]) == ("stream.reset", 2, 2)
        side.happens(3)
        assert await reader.positions(1) == [3]


async def test_a_stream_ends_when_the_process_stops_or_the_credential_counts_no_more() -> None:
    side = Side(1)
    counts = True

    async def allowed() -> bool:
        return counts

    async with side.running():
        async with side.stream(0, allowed=allowed, pulse=0.02) as reader:
            assert await reader.positions(1) == [1]
            counts = False
            assert (await reader.next()).json["reason"] == "not-allowed"
            assert await reader.frame() is None
        async with side.stream(0) as reader, side.stream(0) as not_begun:
            assert await reader.positions(1) == [1]
            side.feed.stop()
            for one in (reader, not_begun):
                while (frame := await one.next()).event != "stream.end":
                    continue
                assert frame.json["reason"] == "stopping"
                assert await one.frame() is None
        with pytest.raises(StreamRefused):
            await side.feed.open(None)


async def test_a_database_that_is_away_ends_a_replay_with_a_word_and_holds_up_what_is_live() -> (
    None
):
    side = Side(*range(1, 41))
    async with side.running(), side.stream() as live:
        await live.frame()
        async with side.stream(0) as reader:
            await reader.frame()
            side.ledger.away = True
            assert (await reader.next()).json["reason"] == "unavailable"
        with pytest.raises(LedgerUnavailable):
            await side.feed.open(None)
        assert side.feed.streams == 1
        found = asyncio.create_task(live.positions(1))
        side.happens(41)
        side.ledger.away = False
        side.feed.nudge()
        assert await found == [41]


async def test_only_so_many_streams_are_open_at_a_time() -> None:
    side = Side(most=2)
    async with side.stream(), side.stream():
        with pytest.raises(StreamRefused, match="As many streams"):
            await side.feed.open(None)
    async with side.stream():
        pass
    assert side.feed.streams == 0


async def test_subscribers_take_a_bounded_share_of_the_process() -> None:
    """The more there are, the longer it is until they are given something again; what happens meanwhile comes
    together.
    """
    side = Side(pace=FeedPace(looks_every=100, per_delivery=0.01))
    async with side.running(), contextlib.AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(side.stream()) for _ in range(20)]
        for reader in readers:
            await reader.frame()
        finds = [asyncio.create_task(reader.positions(51)) for reader in readers]
        await eventually(lambda: side.ledger.reads == [0])
        for position in range(1, 52):
            side.happens(position)
            await asyncio.sleep(0.001)
        assert [await one for one in finds] == [list(range(1, 52))] * 20
        assert len(side.ledger.reads) <= 4


async def test_a_heartbeat_carries_the_position_up_to_which_all_was_sent() -> None:
    side = Side(1)
    none_of_it = EventFilter(types=frozenset({"agent.stopped"}))
    async with side.running(), side.stream(None, none_of_it, pulse=0.02) as reader:
        opening, beat = await reader.frame(), await reader.frame()
        assert opening is not None
        assert beat is not None
        assert (beat.comment, beat.id, beat.data) == ("heartbeat", "1", None)
        side.happens(2, 3)
        while beat.position < 3:
            beat = await reader.frame()
            assert beat is not None
            assert beat.comment == "heartbeat"


def test_a_heartbeat_comes_as_often_as_the_page_on_streams_says() -> None:
    page = Path(__file__).resolve().parents[3] / "docs/guides/streaming.md"
    told = re.findall(r"nothing else has come for (\d+) seconds", page.read_text())
    usual = inspect.signature(EventCursor).parameters["pulse"].default
    assert [float(seconds) for seconds in told] == [usual] == [15]


async def test_a_replay_that_finds_nothing_for_long_says_how_far_it_is_and_ends_when_it_may_not_go_on() -> (
    None
):
    side = Side(*range(1, 101))
    none_of_it = EventFilter(states=frozenset({"dead"}))
    counts, looks = True, 0

    async def allowed() -> bool:
        nonlocal looks
        looks += 1
        return counts

    side.feed.join = lambda *_: None  # type: ignore[method-assign]  # the ledger grows as it is read
    async with side.stream(0, none_of_it, allowed=allowed, pulse=0) as reader:
        await reader.frame()
        for right in (10, 20, 30):
            beat = await reader.frame()
            assert beat is not None
            assert (beat.comment, beat.position) == ("heartbeat", right)
        counts = False
        assert (await reader.next()).json["reason"] == "not-allowed"
        assert await reader.frame() is None
    assert looks >= 3
    async with side.stream(0, none_of_it, pulse=0) as reader:
        await reader.frame()
        await reader.frame()
        side.feed.stop()
        assert (await reader.next()).json["reason"] == "stopping"
