"""Whatever a handler does, its attempt ends once, and its slot comes free once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers import Discard, Interceptor, RetryLater, Task
from consumers._handling.answer_wait import AsksPeople
from consumers._handling.artifact_transfers import ArtifactTransfers
from consumers._handling.handler_environment import HandlerEnvironment
from consumers._handling.handler_run import HandlerRun
from consumers._handling.handler_threads import HandlerThreads
from consumers._handling.output_buffer import Emitted
from consumers._handling.stop_reason import StopReason
from consumers._values.handler_limits import HandlerLimits
from consumers.handler_table import Handler
from consumers.interceptor import CallNext
from consumers.outcome import Asked, Cancelled, Completed, Failed, Outcome, Returned, event_of
from consumers.testing import run_task
from coordinator.protocol.json_values.json_limits import json_problem
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from tests.support.decoding import decode

MESSAGE = TaskMessage.model_validate(
    {
        "task_id": "t",
        "task_data": {},
        "priority": "low",
        "submitted_at": datetime.now(UTC),
        "task_token": "x",
    }
)


class Detached:
    """Raises wherever it is shown."""

    def __init__(self, what: type[BaseException] = RuntimeError) -> None:
        self.what = what

    def __str__(self) -> str:
        raise self.what

    __repr__ = __iter__ = __len__ = __float__ = __str__


def endless() -> Iterator[int]:
    while True:
        yield 1


async def forgotten() -> None:
    pass


def loop_of_lists() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


UNAWAITED: list[Callable[[], Any]] = [forgotten, lambda: [forgotten()]]
"""Python warns of them where an interceptor drops them: that is no matter of the agent's."""

RETURNED: list[Callable[[], Any]] = [
    lambda: None,
    lambda: {"a": [1, "b"]},
    lambda: {1: 2},
    lambda: {1, 2},
    lambda: float("nan"),
    lambda: 10**5000,
    lambda: b"\xff",
    lambda: "\ud800",
    endless,
    lambda: {"a": endless()},
    *UNAWAITED,
    Detached,
    lambda: [Detached(SystemExit)],
    loop_of_lists,
    lambda: "x" * 2000,
]
RAISED: list[Callable[[], BaseException]] = [
    lambda: ValueError(Detached()),
    lambda: ValueError(Detached(SystemExit)),
    lambda: RetryLater("429", after="30"),
    lambda: RetryLater("429", after=float("nan")),
    lambda: RetryLater("429", after=Detached(KeyboardInterrupt)),  # type: ignore[arg-type]
    lambda: Discard(Detached()),  # type: ignore[arg-type]
    lambda: ExceptionGroup("g", [ValueError(Detached())]),
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    StopIteration,
    StopAsyncIteration,
    asyncio.CancelledError,
    TimeoutError,
    RecursionError,
    MemoryError,
]
PROGRESS: list[Callable[[], tuple[Any, Any]]] = [
    lambda: (0.5, "half"),
    lambda: (None, "\ud800" * 2000),
    lambda: (float("nan"), None),
    lambda: ("0.5", None),
    lambda: (2, None),
    lambda: (True, None),
    lambda: (Detached(), None),
    lambda: (0.1, Detached()),
]


class Passing:
    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        return await call_next()


class Answering:
    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        return "instead"


class Failing:
    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        await call_next()
        raise ValueError(Detached())


class Sheltering:
    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        try:
            return await call_next()
        except BaseException:  # noqa: BLE001 - which is what is tried
            return await asyncio.sleep(0.001, "sheltered")


class Impatient:
    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        async with asyncio.timeout(0.001):
            return await call_next()


INTERCEPTORS: list[Interceptor] = [
    Passing(),
    Answering(),
    Failing(),
    Sheltering(),
    Impatient(),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a handler does, and what befalls it."""

    asynchronous: bool
    tells: list[Callable[[], tuple[Any, Any]]]
    sheltered: bool
    """Whether it goes on after its progress was refused, or its cancellation came."""
    cancels_itself: bool
    ends: Callable[[], Any]
    raises: bool
    stops: list[StopReason]
    interceptors: list[Interceptor]
    on_end_raises: bool

    def tell(self, task: Task) -> None:
        for told in self.tells:
            shelter = contextlib.suppress(Exception) if self.sheltered else contextlib.nullcontext()
            with shelter:
                task.progress(*told())

    def end(self) -> Any:
        if self.raises:
            raise self.ends()
        return self.ends()

    def handler(self, go_on: threading.Event) -> Any:
        def plain(task: Task) -> Any:
            self.tell(task)
            go_on.wait(10)
            return self.end()

        async def coroutine(task: Task) -> Any:
            self.tell(task)
            shelter = asyncio.CancelledError if self.sheltered else ZeroDivisionError
            with contextlib.suppress(shelter):
                await asyncio.sleep(0.001)
            if self.cancels_itself and (me := asyncio.current_task()) is not None:
                me.cancel()
            return self.end()

        return coroutine if self.asynchronous else plain


behaviours = (
    st.builds(
        Behaviour,
        asynchronous=st.booleans(),
        tells=st.lists(st.sampled_from(PROGRESS), max_size=3),
        sheltered=st.booleans(),
        cancels_itself=st.booleans(),
        ends=st.sampled_from(RETURNED),
        raises=st.just(False),
        stops=st.lists(st.sampled_from(StopReason), max_size=2),
        interceptors=st.lists(st.sampled_from(INTERCEPTORS), max_size=2),
        on_end_raises=st.booleans(),
    )
    | st.builds(
        Behaviour,
        asynchronous=st.booleans(),
        tells=st.lists(st.sampled_from(PROGRESS), max_size=1),
        sheltered=st.booleans(),
        cancels_itself=st.booleans(),
        ends=st.sampled_from(RAISED),
        raises=st.just(True),
        stops=st.lists(st.sampled_from(StopReason), max_size=2),
        interceptors=st.lists(st.sampled_from(INTERCEPTORS), max_size=2),
        on_end_raises=st.booleans(),
    )
).filter(lambda one: not one.interceptors or one.ends not in UNAWAITED)


@dataclass(slots=True)
class Calls:
    """What the run told, in order."""

    outcomes: list[Outcome]
    gone: int = 0


async def live_through(behaviour: Behaviour, threads: HandlerThreads) -> Calls:
    """Run it, and wait until nothing of it runs any more."""
    gone = asyncio.Event()
    calls = Calls([])
    go_on = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # what `on_end` raises

    def on_end(outcome: Outcome) -> None:
        assert calls.gone == 0
        calls.outcomes.append(outcome)
        if behaviour.on_end_raises:
            raise LookupError("in the agent")

    def on_gone() -> None:
        calls.gone += 1
        gone.set()

    run = HandlerRun(
        Handler.of(behaviour.handler(go_on)),
        MESSAGE,
        environment=HandlerEnvironment(
            agent_id="a",
            threads=threads,
            artifacts=ArtifactTransfers(None, threads),
            interceptors=tuple(behaviour.interceptors),
        ),
        limits=HandlerLimits(
            timeout=timedelta(seconds=60), grace=timedelta(seconds=0.002), max_result_bytes=1000
        ),
        on_progress=lambda _: None,
        on_output=lambda _: Emitted(),
        people=lambda: AsksPeople(lambda *_: None, lambda _: None),
        submit=AsyncMock(),
        on_end=on_end,
        on_gone=on_gone,
    )
    run.begin()
    for why in behaviour.stops:
        await asyncio.sleep(0)
        with contextlib.suppress(LookupError):
            run.stop(why)
    loop.call_later(0.004, go_on.set)
    await asyncio.wait_for(gone.wait(), 20)
    await asyncio.sleep(0.002)
    return calls


@given(behaviours)
@settings(max_examples=300, deadline=None)
def test_each_run_ends_once_and_leaves_its_slot_once(behaviour: Behaviour) -> None:
    threads = HandlerThreads(1, name="fuzz")
    with asyncio.Runner() as runner:
        calls = runner.run(live_through(behaviour, threads))
    threads.close()
    assert calls.gone == 1
    (outcome,) = calls.outcomes
    if not behaviour.stops:
        assert isinstance(outcome, Completed | Failed)
    if isinstance(outcome, Asked | Cancelled | Returned):
        return
    event = Event(data=event_of(outcome, MESSAGE, agent_id="a", duration=timedelta(seconds=1)))
    assert decode(encode(event), routing_key(event.data)) == [event]
    assert not isinstance(outcome, Completed) or json_problem(outcome.result) is None


async def test_a_handler_that_cancels_its_own_task_and_returns_has_returned() -> None:
    async def handler(task: Task) -> str:
        me = asyncio.current_task()
        assert me is not None
        me.cancel()
        return "done"

    assert (await run_task(handler)).result == "done"


async def test_a_thread_that_the_system_refuses_fails_the_attempt_and_not_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = HandlerThreads(1, name="refused")

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            threads.start(lambda: 1)
    ended = await asyncio.wait_for(threads.start(lambda: 2), 10)
    assert ended.value == 2
    threads.close()


@pytest.mark.parametrize(
    ("fraction", "error"),
    [
        ("0.5", TypeError),
        (b"0.5", TypeError),
        ([], TypeError),
        (object(), TypeError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (-0.1, ValueError),
        (10**400, OverflowError),
    ],
)
async def test_a_fraction_that_is_none_is_the_handlers_error(
    fraction: Any, error: type[Exception]
) -> None:
    def handler(task: Task) -> str:
        with pytest.raises(error):
            task.progress(fraction)
        return "went on"

    ran = await run_task(handler)
    assert (ran.result, ran.progress) == ("went on", [])


class Share:
    """A number of a library's own, whose comparisons are not to be relied on."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __ge__(self, _: object) -> bool:
        return True

    __le__ = __ge__


async def test_any_kind_of_number_is_a_fraction_and_is_told_as_a_plain_one() -> None:
    def handler(task: Task) -> None:
        for fraction in (Share(0.25), True, 0):
            task.progress(fraction)  # type: ignore[arg-type]
        task.progress(Share(7.0))  # type: ignore[arg-type]

    ran = await run_task(handler)
    assert [told.fraction for told in ran.progress] == [0.25, 1.0, 0.0]
    assert all(type(told.fraction) is float for told in ran.progress)
    assert ran.error.type == "ValueError"


async def test_a_progress_text_that_cannot_be_shown_raises_in_the_handler() -> None:
    async def handler(task: Task) -> None:
        await task.progress(0.5, Detached(LookupError))  # type: ignore[arg-type]

    assert (await run_task(handler)).error.type == "LookupError"
