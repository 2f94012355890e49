"""What a run emits is numbered and held, within a limit; nobody waits for long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from consumers._handling.output_buffer import OVERHEAD, OutputBuffer

ROOM_FOR_TWO = 2 * (5 + OVERHEAD)
"""Bytes: of two chunks of five."""

NEVER = 10_000.0
"""Seconds of patience: a test that waits for them fails."""


def buffer_of(
    most: int = 1000, patience: float = NEVER, on_more: Callable[[], None] = lambda: None
) -> OutputBuffer:
    return OutputBuffer(
        most=most, patience=patience, on_more=on_more, loop_thread=threading.get_ident()
    )


STEPS = st.lists(
    st.tuples(st.just("put"), st.integers(1, 30))
    | st.tuples(st.just("take"), st.integers(1, 3 * OVERHEAD))
    | st.tuples(st.just("shrink"), st.integers(0, 2 * OVERHEAD)),
    max_size=60,
)


@given(steps=STEPS, most=st.integers(30 + OVERHEAD, 5 * (30 + OVERHEAD)))
def test_what_is_taken_has_its_numbers_and_what_is_missing_was_dropped(
    steps: list[tuple[str, int]], most: int
) -> None:
    buffer = buffer_of(most)
    taken: list[tuple[int, bytes]] = []

    def take(size: int) -> bool:
        some = buffer.take(size)
        taken.extend(
            zip(range(some.first, some.first + len(some.chunks)), some.chunks, strict=True)
        )
        assert some.size == sum(len(chunk) + OVERHEAD for chunk in some.chunks)
        assert len(some.chunks) == 1 or some.size <= size
        return some.ended

    for step, size in steps:
        match step:
            case "put":
                number = buffer.emitted + 1
                buffer.put(b"%d," % number + b"x" * (size - 3))
                assert buffer.emitted == number
            case "take":
                take(size)
            case _:
                buffer.shrink(size)
        assert buffer.size <= most
    buffer.end()
    while not take(most):
        pass
    numbers = [number for number, _ in taken]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + buffer.dropped == buffer.emitted
    assert all(chunk.startswith(b"%d," % number) for number, chunk in taken)


def test_many_tiny_chunks_are_held_and_taken_by_what_they_cost() -> None:
    buffer = buffer_of(most=100 * OVERHEAD)
    for _ in range(1000):
        buffer.put(b"1")
    assert buffer.dropped > 900
    assert len(buffer.take(10 * OVERHEAD).chunks) < 10


def test_whoever_publishes_is_told_when_there_is_something_and_when_it_is_over() -> None:
    told: list[int] = []
    buffer = buffer_of(on_more=lambda: told.append(buffer.emitted))
    for _ in range(3):
        buffer.put(b"x")
    assert told == [1]
    buffer.take(1000)
    buffer.put(b"x")
    buffer.end()
    assert told == [1, 4, 4]


def test_after_the_end_nothing_is_held() -> None:
    buffer = buffer_of()
    buffer.put(b"x")
    buffer.end()
    buffer.put(b"y")
    some = buffer.take(1000)
    assert (some.first, some.chunks, some.ended) == (1, [b"x"], True)
    assert buffer.emitted == 1


async def test_a_coroutine_that_emits_too_much_waits_until_some_of_it_is_taken() -> None:
    buffer = buffer_of(ROOM_FOR_TWO)
    await buffer.put(b"x" * 5)
    waiting = asyncio.ensure_future(_awaited(buffer, b"y" * 5))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    buffer.take(1)
    await waiting
    assert buffer.dropped == 0


async def _awaited(buffer: OutputBuffer, chunk: bytes) -> None:
    await buffer.put(chunk)


async def test_who_waited_in_vain_waits_no_more_until_there_was_room() -> None:
    buffer = buffer_of(ROOM_FOR_TWO, patience=0.01)
    for _ in range(4):
        await buffer.put(b"x" * 5)
    assert buffer.dropped == 2
    buffer._patience = NEVER
    await buffer.put(b"x" * 5)  # at once
    buffer.take(1000)
    await buffer.put(b"x" * 5)
    waiting = asyncio.ensure_future(_awaited(buffer, b"x" * 5))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    buffer.end()
    await waiting


async def test_a_thread_waits_until_some_is_taken_or_the_run_is_over() -> None:
    buffer = buffer_of(ROOM_FOR_TWO)
    put = [threading.Event() for _ in range(3)]

    def emit() -> None:
        for done in put:
            buffer.put(b"x" * 5)
            done.set()

    thread = threading.Thread(target=emit)
    thread.start()
    await asyncio.to_thread(put[0].wait)
    await asyncio.to_thread(_until, lambda: buffer.emitted == 2)
    assert not put[1].is_set()
    buffer.take(1000)
    await asyncio.to_thread(put[1].wait)
    await asyncio.to_thread(_until, lambda: buffer.emitted == 3)
    buffer.put(b"x" * 5)  # on the loop, which is not held up
    buffer.end()
    await asyncio.to_thread(thread.join)


def _until(fact: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not fact():
        pause.wait(0.001)


async def test_a_thread_that_waited_in_vain_goes_on() -> None:
    buffer = buffer_of(ROOM_FOR_TWO, patience=0.01)

    def emit() -> None:
        for _ in range(100):
            buffer.put(b"x" * 5)

    await asyncio.to_thread(emit)
    assert buffer.dropped == 98
