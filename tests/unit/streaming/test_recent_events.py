"""The latest events, within a bound of their number and one of their bytes."""

from __future__ import annotations

from coordinator.streaming.recent_events import RecentEvents
from coordinator.streaming.streamed_event import StreamedEvent
from tests.support.recorded import recorded


def events(*positions: int, size: int = 10) -> list[StreamedEvent]:
    return [StreamedEvent(recorded(one, data={"text": "x" * size})) for one in positions]


def positions(recent: RecentEvents, after: int) -> list[int]:
    return [one.position for one in recent.after(after)]


def test_the_oldest_make_room_and_what_follows_them_is_covered() -> None:
    recent = RecentEvents(most_events=3)
    recent.begin(10)
    recent.add(events(11, 13, 14), 20)
    assert (recent.base, recent.head) == (10, 20)
    assert positions(recent, 12) == [13, 14]
    recent.add(events(21, 22), 22)
    assert (recent.base, recent.covers(12), recent.covers(13), recent.covers(23)) == (
        13,
        False,
        True,
        False,
    )
    assert positions(recent, 13) == [14, 21, 22]
    assert positions(recent, 22) == []


def test_few_large_ones_make_room_too() -> None:
    recent = RecentEvents(most_bytes=50_000)
    recent.begin(0)
    recent.add(events(*range(1, 11), size=5000), 10)
    assert 0 < len(positions(recent, recent.base)) < 5


def test_what_was_deleted_before_it_was_read_is_not_covered() -> None:
    recent = RecentEvents()
    recent.begin(0)
    recent.add(events(1, 2, 5), 6)
    recent.drop_to(4)
    assert (recent.base, positions(recent, 4)) == (4, [5])
    recent.drop_to(100)
    assert (recent.base, recent.head) == (6, 6)
