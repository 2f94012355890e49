"""What an interceptor may do around a handler, and what becomes of the attempt."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from pydantic import BaseModel, computed_field

from consumers import Agent, Discard, Interceptor, RetryLater, Task
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
from consumers.outcome import Failed, Outcome
from consumers.testing import Cancelled, Interruption, Ran, run_task
from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority

TRACE: ContextVar[str] = ContextVar("TRACE", default="none")
BOTH = pytest.mark.parametrize("plain", [False, True], ids=["coroutine", "thread"])


@dataclass
class Noting:
    """Writes down what passes it."""

    name: str
    notes: list[str] = field(default_factory=list)

    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        self.notes.append(f"{self.name} before {task.type}")
        try:
            result = await call_next()
        except BaseException as exc:
            self.notes.append(f"{self.name} saw {type(exc).__name__}")
            raise
        self.notes.append(f"{self.name} after {result!r}")
        return result


class Raising:
    """Raises its own, before the handler or after it."""

    def __init__(self, exc: BaseException, *, after: bool = False) -> None:
        self.exc = exc
        self.after = after

    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        if self.after:
            await call_next()
        raise self.exc


def agent_with(
    function: Callable[[Task], Any], *interceptors: Interceptor, plain: bool = False
) -> Agent:
    """An agent for tasks of the type `t`, with ``function`` as a coroutine or, if ``plain``, as it is."""
    agent = Agent("a", interceptors=interceptors)

    async def coroutine(task: Task) -> Any:
        return function(task)

    agent.task("t")(function if plain else coroutine)
    return agent


async def ran_with(
    function: Callable[[Task], Any], *interceptors: Interceptor, plain: bool = False
) -> Ran:
    return await run_task(agent_with(function, *interceptors, plain=plain), {"task_type": "t"})


@BOTH
async def test_the_first_interceptor_is_the_outermost(plain: bool) -> None:
    notes: list[str] = []
    ran = await ran_with(lambda _: "r", Noting("1", notes), Noting("2", notes), plain=plain)
    assert ran.result == "r"
    assert notes == ["1 before t", "2 before t", "2 after 'r'", "1 after 'r'"]


@BOTH
async def test_a_handlers_error_passes_as_if_there_were_no_interceptor(plain: bool) -> None:
    def fail(task: Task) -> None:
        raise KeyError("it")

    noting = Noting("1")
    ran = await ran_with(fail, noting, plain=plain)
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.retryable
    assert (ran.error.type, ran.error.message) == ("KeyError", "'it'")
    assert "in fail" in str(ran.error.traceback)
    assert noting.notes == ["1 before t", "1 saw KeyError"]


@BOTH
@pytest.mark.parametrize("after", [False, True])
async def test_an_error_of_an_interceptor_is_an_outcome_that_names_it(
    plain: bool, after: bool
) -> None:
    noting = Noting("outer")
    ran = await ran_with(
        lambda _: "r", noting, Raising(LookupError("no key"), after=after), plain=plain
    )
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.retryable
    assert ran.error.type == "InterceptorFailed"
    assert ran.error.message == "The interceptor Raising raised LookupError: no key"
    assert "LookupError: no key" in str(ran.error.traceback)
    assert noting.notes == ["outer before t", "outer saw InterceptorFailed"]


async def test_an_error_that_replaces_the_handlers_is_the_interceptors() -> None:
    class Replacing:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            try:
                return await call_next()
            except KeyError as exc:
                raise LookupError("replaced") from exc

    def fail(task: Task) -> None:
        raise KeyError("it")

    ran = await ran_with(fail, Replacing())
    assert ran.error.message == "The interceptor Replacing raised LookupError: replaced"


async def test_an_interceptor_chooses_as_a_handler_does() -> None:
    later = await ran_with(lambda _: "r", Raising(RetryLater("too many", after=30)))
    assert isinstance(later.outcome, Failed)
    assert later.outcome.retry_after == timedelta(seconds=30)
    assert later.error.type == "RetryLater"
    never = await ran_with(lambda _: "r", Raising(Discard("not allowed")))
    assert isinstance(never.outcome, Failed)
    assert (never.outcome.retryable, never.error.message) == (False, "not allowed")


async def test_an_interceptor_may_answer_itself_or_change_the_result() -> None:
    calls: list[Task] = []

    class Answering:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            return {"from": "the cache"}

    class Wrapping:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            return {"wrapped": await call_next()}

    ran = await ran_with(calls.append, Wrapping(), Answering(), plain=True)
    assert ran.result == {"wrapped": {"from": "the cache"}}
    assert calls == []


@BOTH
async def test_the_handler_sees_what_an_interceptor_sets_in_the_context(plain: bool) -> None:
    threads: list[int] = []

    class Tracing:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            threads.append(threading.get_ident())
            TRACE.set(f"trace of attempt {task.attempt}")
            return await call_next()

    def handler(task: Task) -> str:
        threads.append(threading.get_ident())
        return TRACE.get()

    assert (await ran_with(handler, Tracing(), plain=plain)).result == "trace of attempt 1"
    assert (threads[0] == threading.get_ident(), threads[0] == threads[1]) == (True, not plain)
    assert TRACE.get() == "none"


async def test_an_interceptor_sees_that_its_coroutine_is_cancelled() -> None:
    noting = Noting("1")
    agent = Agent("a", interceptors=[noting])

    @agent.default
    async def wait(task: Task) -> None:
        await asyncio.sleep(3600)

    ran = await run_task(agent, interruption=Interruption(cancel_after=timedelta()))
    assert ran.outcome == Cancelled()
    assert noting.notes == ["1 before None", "1 saw CancelledError"]


async def test_an_interceptor_sees_that_a_plain_function_stopped_as_it_was_told() -> None:
    noting = Noting("1")
    began = threading.Event()

    def looks(task: Task) -> str:
        began.set()
        while not task.cancelled:
            pass
        return "half of it"

    ran = await run_task(
        agent_with(looks, noting, plain=True),
        {"task_type": "t"},
        interruption=Interruption(cancel_after=timedelta(seconds=0.05)),
    )
    assert began.is_set()
    assert ran.outcome == Cancelled()
    assert noting.notes == ["1 before t", "1 saw CancelledError"]


@BOTH
async def test_the_time_of_a_task_counts_what_its_interceptors_take(plain: bool) -> None:
    class Slow:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            result = await call_next()
            await asyncio.sleep(3600)
            return result

    agent = agent_with(lambda _: "r", Slow(), plain=plain)
    ran = await run_task(agent, {"task_type": "t"}, timeout=timedelta(seconds=0.05))
    assert ran.error.type == "Timeout"
    assert not ran.given_up


@BOTH
async def test_the_handler_is_called_once(plain: bool) -> None:
    class Twice:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            await call_next()
            return await call_next()

    calls: list[Task] = []
    ran = await ran_with(calls.append, Twice(), plain=plain)
    assert len(calls) == 1
    assert ran.error.type == "InterceptorFailed"
    assert "RetryLater" in ran.error.message


async def test_the_handler_is_not_called_once_the_interceptor_has_returned() -> None:
    kept: list[CallNext] = []

    class Keeping:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            kept.append(call_next)

    calls: list[Task] = []
    assert (await ran_with(calls.append, Keeping())).result is None
    with pytest.raises(RuntimeError, match="call_next is called once"):
        await kept[0]()
    assert calls == []


async def test_a_result_becomes_json_where_the_handler_ran() -> None:
    where: list[int] = []

    class Result(BaseModel):
        @computed_field  # type: ignore[prop-decorator]
        @property
        def field(self) -> str:
            where.append(threading.get_ident())
            return "computed"

    ran = await ran_with(lambda _: Result(), Noting("1"), plain=True)
    assert ran.result == {"field": "computed"}
    assert threading.get_ident() not in where[1:]  # the first is the note's


async def test_a_thread_that_an_interceptor_does_not_wait_for_keeps_its_slot() -> None:
    release, gone = threading.Event(), asyncio.Event()
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    class Impatient:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            async with asyncio.timeout(0.05):
                return await call_next()

    threads = HandlerThreads(1, name="thread of a test")
    run = HandlerRun(
        Handler.of(lambda _: release.wait(60)),
        TaskMessage(
            task_id="t",
            task_data={},
            priority=Priority.LOW,
            submitted_at=datetime.now(UTC),
            task_token="x",
        ),
        environment=HandlerEnvironment(
            agent_id="a",
            threads=threads,
            artifacts=ArtifactTransfers(None, threads),
            interceptors=(Impatient(),),
        ),
        limits=HandlerLimits(
            timeout=timedelta(minutes=1), grace=timedelta(minutes=1), max_result_bytes=100
        ),
        on_progress=lambda _: None,
        on_output=lambda _: Emitted(),
        people=lambda: AsksPeople(lambda *_: None, lambda _: None),
        submit=AsyncMock(),
        on_end=outcome.set_result,
        on_gone=gone.set,
    )
    run.begin()
    ended = await outcome
    assert isinstance(ended, Failed)
    assert ended.error.message.startswith("The interceptor Impatient raised TimeoutError")
    await asyncio.sleep(0)
    assert (run.given_up, run.in_thread, gone.is_set()) == (True, True, False)
    run.stop(StopReason.HURRIED)  # of no effect any more
    release.set()
    await asyncio.wait_for(gone.wait(), 20)
    threads.close()


async def test_a_handler_that_is_left_in_a_task_is_cancelled_and_ends_before_the_attempt() -> None:
    notes: list[str] = []
    tasks: list[asyncio.Future[Any]] = []

    class Leaving:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            tasks.append(asyncio.ensure_future(call_next()))
            await asyncio.sleep(0)
            return "gone"

    agent = Agent("a", interceptors=[Leaving()])

    @agent.default
    async def wait(task: Task) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            notes.append("tidied up")

    assert (await run_task(agent)).result == "gone"
    assert notes == ["tidied up"]


class Plain:
    def intercept(self, task: Task, call_next: CallNext) -> Any:
        return call_next()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([Noting], "Noting is a class: write Noting()"),
        ([object()], "one of type object has no such method"),
        ([Plain()], "that of Plain is not declared with async def"),
        (Noting("1"), "must be a list"),
        ("Noting", "must be a list"),
    ],
)
def test_what_is_no_interceptor_is_refused_when_the_agent_is_made(given: Any, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Agent("a", interceptors=given)
    assert told in str(caught.value)
    assert caught.value.field == "interceptors"
