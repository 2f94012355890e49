"""A cursor over a tail tells every chunk, or that it is missing: once, and in order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from coordinator.partial_output.output_items import (
    OutputChunk,
    OutputEnded,
    OutputItem,
    OutputMissing,
    OutputRun,
    OutputStarted,
)
from coordinator.partial_output.output_tail import AT_ONCE, OutputCursor, OutputTail


def run_of(attempt: int) -> OutputRun:
    return OutputRun(generation=1, attempt=attempt, agent_id="ada", run="r")


FIRST, SECOND = run_of(1), run_of(2)


def read_all(cursor: OutputCursor) -> list[OutputItem]:
    found: list[OutputItem] = []
    while items := cursor.read():
        found += items
    return found


def numbers(items: Sequence[OutputItem]) -> list[int]:
    return [one.number for one in items if isinstance(one, OutputChunk)]


def gaps(items: Sequence[OutputItem]) -> list[tuple[int, int | None]]:
    return [(one.first, one.last) for one in items if isinstance(one, OutputMissing)]


def test_who_comes_late_is_told_what_is_kept_and_what_is_not() -> None:
    tail = OutputTail(FIRST, most=6)
    tail.add(1, [b'"a"', b'"b"'])
    tail.add(3, [b'"c"'])
    items = read_all(OutputCursor(tail))
    assert items[0] == OutputStarted(run=FIRST)
    assert gaps(items) == [(1, 1)]
    assert [one.chunk for one in items if isinstance(one, OutputChunk)] == ["b", "c"]


def test_a_message_that_comes_twice_is_told_once() -> None:
    tail = OutputTail(FIRST, most=100)
    cursor = OutputCursor(tail)
    for _ in range(2):
        tail.add(1, [b"1", b"2"])
    tail.add(2, [b"2", b"3"])
    assert numbers(read_all(cursor)) == [1, 2, 3]


def test_chunks_that_were_lost_before_the_end_are_told_to_be_missing() -> None:
    tail = OutputTail(FIRST, most=100)
    cursor = OutputCursor(tail)
    tail.add(1, [b"1"])
    tail.add(4, [], ended=True)
    items = read_all(cursor)
    assert items[-2:] == [
        OutputMissing(run=FIRST, first=2, last=3),
        OutputEnded(run=FIRST, last=3),
    ]
    assert cursor.read() == []


def test_nothing_is_taken_after_the_end() -> None:
    tail = OutputTail(FIRST, most=100)
    tail.add(1, [b"1"], ended=True)
    tail.add(2, [b"2"])
    assert numbers(read_all(OutputCursor(tail))) == [1]


def test_a_doubt_is_told_once_and_the_next_chunk_settles_it() -> None:
    tail = OutputTail(FIRST, most=100)
    cursor = OutputCursor(tail)
    tail.add(1, [b"1"])
    tail.doubted = True
    assert gaps(read_all(cursor)) == [(2, None)]
    assert cursor.read() == []
    tail.add(2, [b"2"])
    assert gaps(read_all(cursor)) == []
    assert gaps(read_all(OutputCursor(tail))) == []
    tail.doubted = True
    assert gaps(read_all(cursor)) == [(3, None)]


def test_a_cursor_goes_on_to_the_next_run_once_it_has_read_the_one_before() -> None:
    tail = OutputTail(FIRST, most=100)
    tail.add(1, [b"1"])
    cursor = OutputCursor(tail)
    tail.successor = OutputTail(SECOND, most=100)
    tail.successor.add(1, [b"2"])
    assert read_all(cursor) == [
        OutputStarted(run=FIRST),
        OutputChunk(run=FIRST, number=1, encoded=b"1"),
        OutputStarted(run=SECOND),
        OutputChunk(run=SECOND, number=1, encoded=b"2"),
    ]


def test_a_long_tail_is_read_in_parts() -> None:
    tail = OutputTail(FIRST, most=100_000)
    tail.add(1, [b"1"] * 1000)
    cursor = OutputCursor(tail)
    assert len(cursor.read()) <= AT_ONCE + 1
    assert len(read_all(cursor)) >= 1000 - AT_ONCE


messages = st.lists(
    st.tuples(
        st.integers(1, 5),  # chunks
        st.sampled_from(["comes", "comes twice", "is lost"]),
        st.integers(0, 2),  # cursors that read then
    ),
    max_size=30,
)


@given(messages=messages, most=st.integers(1, 12), ends=st.booleans(), late=st.integers(0, 30))
def test_each_number_is_told_once_whatever_is_lost_comes_twice_or_is_not_kept(
    messages: list[tuple[int, str, int]], most: int, ends: bool, late: int
) -> None:
    tail = OutputTail(FIRST, most=most)
    cursors = [OutputCursor(tail), OutputCursor(tail)]
    told: list[list[OutputItem]] = [[], []]
    heard = last = 0
    for at, (count, fate, readers) in enumerate(messages):
        if at == late:
            cursors.append(OutputCursor(tail))
            told.append([])
        if fate != "is lost":
            heard = last + count
            for _ in range(2 if fate == "comes twice" else 1):
                tail.add(last + 1, [b"%d" % number for number in range(last + 1, heard + 1)])
        last += count
        for cursor, said in zip(cursors[:readers], told, strict=False):
            said.extend(cursor.read())
    if ends:
        heard = last
        tail.add(last + 1, [], ended=True)
    assert tail._bytes <= most
    for cursor, said in zip(cursors, told, strict=True):
        said.extend(read_all(cursor))
        assert told_up_to(said) == heard
        assert [isinstance(one, OutputEnded) for one in said].count(True) == ends
        assert said[0] == OutputStarted(run=FIRST)


def told_up_to(items: Sequence[OutputItem]) -> int:
    """The last number; each was told as a chunk or as missing, in order."""
    last = 0
    for one in items:
        if isinstance(one, OutputChunk):
            assert one.number == one.chunk == last + 1
            last += 1
        elif isinstance(one, OutputMissing):
            assert one.first == last + 1
            assert one.last is not None
            last = one.last
    return last
