"""Calls the API in an event loop: `AsyncClient`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from .async_handle import AsyncTaskHandle
from .bound_calls import Awaited, AwaitedPages
from .calls import (
    agent_calls,
    callback_calls,
    dead_task_calls,
    event_streams,
    group_calls,
    many_endings,
    queue_calls,
    schedule_calls,
    service_calls,
    submission,
    task_calls,
    task_waiting,
)
from .drivers.async_driver import AsyncDriver
from .drivers.client_options import DEFAULT_URL, Tls, client_options
from .exchange.programs import Circumstances, Program, asked
from .exchange.retry_rule import Retries
from .models.accepted_tasks import Accepted
from .models.stream_items import EventsMissing, StreamedEvent, StreamReset, TaskStreamItem
from .models.tasks import NewTask, Task, TaskOptions
from .several_tasks import accepted_ones, by_id

__all__ = ["AsyncClient"]

Result = TypeVar("Result")


class AsyncClient:
    """Talks to one coordinator, or to several behind one address. Many tasks of one event loop may use it at
    once. To stop a stream before its end, close it: `contextlib.aclosing`.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        tls: Tls | None = None,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``base_url`` may have a path. ``key`` is an API key or a JWT; where it is not given, that of
        `COORDINATOR_KEY`, or of the file that `COORDINATOR_KEY_FILE` names; an empty one is none.
        ``transport`` is for tests. Raises `Misconfigured`. Opens nothing yet.
        """
        options = client_options(base_url, key, tls, retries)
        self._options = options
        self._driver = AsyncDriver(options, transport)
        self.now = Circumstances(retries=options.retries)

    def __repr__(self) -> str:
        return f"AsyncClient({self._options.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._driver.close()

    async def run(self, program: Program[Result]) -> Result:
        """For calls of one's own: what ``program`` returns."""
        return await self._driver.run(program)

    def items(self, program: Program[None]) -> AsyncGenerator[Any, None]:
        """For programs of one's own: what ``program`` emits."""
        return self._driver.items(program)

    # Submitting

    async def submit(
        self,
        task: NewTask | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> AsyncTaskHandle:
        """Submit a task: its data with ``options``, or a `NewTask`. It is sent again until it is answered,
        and is one task however often. Give an ``idempotency_key`` of your own to be as safe over a restart
        of your program.
        """
        call = submission.submission(task, idempotency_key=idempotency_key, **options)
        return AsyncTaskHandle(self, await self.run(asked(call, self.now)))

    async def submit_many(
        self,
        tasks: Iterable[NewTask | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        batch_size: int = submission.MOST_TASKS,
    ) -> list[AsyncTaskHandle]:
        """Submit many, in as few requests as the service allows; the handles are in the order of ``tasks``.
        Raises `NotAllAccepted` where some were refused; the others were submitted.
        """
        program = submission.submit_all(
            tasks, self.now, idempotency_key=idempotency_key, batch_size=batch_size
        )
        return accepted_ones(await self.run(program), lambda one: AsyncTaskHandle(self, one))

    def handle(self, task_id: str) -> AsyncTaskHandle:
        """For a task that was submitted before. Asks nothing."""
        return AsyncTaskHandle(self, Accepted(task_id=task_id))

    # Waiting

    async def wait(self, task_id: str, timeout: float | None = None) -> Task:
        """The task at its end. Raises `WaitTimedOut` after ``timeout`` seconds."""
        return await self.run(task_waiting.wait(task_id, self.now, timeout))

    async def as_completed(
        self, handles: Iterable[AsyncTaskHandle], timeout: float | None = None
    ) -> AsyncGenerator[AsyncTaskHandle, None]:
        """Each handle as its task ends, however it ends, over one connection. Raises `WaitTimedOut` after
        ``timeout`` seconds, counted from the first that is asked for.
        """
        waiting = by_id(handles)
        async with aclosing(self.items(many_endings.endings(waiting, self.now, timeout))) as ends:
            async for task in ends:
                for handle in waiting[task.task_id]:
                    handle.ended = task
                    yield handle

    async def wait_all(
        self, handles: Iterable[AsyncTaskHandle], timeout: float | None = None
    ) -> list[Task]:
        """All tasks at their ends, in the order of ``handles``. Raises `WaitTimedOut` where some go on."""
        every = list(handles)
        async for _ in self.as_completed([one for one in every if one.ended is None], timeout):
            pass
        return [await one.wait() for one in every]

    # Streams

    def stream(
        self, task_id: str, *, after: int | None = None, timeout: float | None = None
    ) -> AsyncGenerator[TaskStreamItem, None]:
        """The task's timeline, what happens to it, what it says while it works, and last a `TaskEnded`;
        over lost connections, and restarts of the service. ``after`` is a position, to begin after.
        """
        return self.items(
            event_streams.task_stream(task_id, self.now, after=after, timeout=timeout)
        )

    def events(
        self,
        *,
        after: int | None = None,
        follow: bool = True,
        timeout: float | None = None,
        **filters: Unpack[event_streams.EventFilter],
    ) -> AsyncGenerator[StreamedEvent | EventsMissing | StreamReset, None]:
        """Every event that matches, from now on or from the position ``after`` on, without an end. Who does
        not ``follow`` is given what there is, without a position all that is kept, and then it is over.
        """
        return self.items(
            event_streams.events(self.now, after=after, follow=follow, timeout=timeout, **filters)
        )

    # One call each

    task = Awaited(task_calls.task)
    answer = Awaited(task_calls.answer)
    cancel = Awaited(task_calls.cancel)
    retry = Awaited(task_calls.retry)
    delete = Awaited(task_calls.delete)
    explain = Awaited(task_calls.explain)
    timeline = Awaited(task_calls.timeline)
    tasks = Awaited(task_calls.tasks)
    agents_tasks = Awaited(task_calls.agents_tasks)
    each_task = AwaitedPages(task_calls.tasks)
    each_of_timeline = AwaitedPages(task_calls.timeline)

    agent = Awaited(agent_calls.agent)
    agents = Awaited(agent_calls.agents)
    each_agent = AwaitedPages(agent_calls.agents)
    discover = Awaited(agent_calls.discover)
    drain = Awaited(agent_calls.drain)
    declare_status = Awaited(agent_calls.declare_status)
    remove_agent = Awaited(agent_calls.remove_agent)

    queue_sizes = Awaited(queue_calls.queue_sizes)
    queue_stats = Awaited(queue_calls.queue_stats)
    statistics = Awaited(queue_calls.statistics)
    clear_queue = Awaited(queue_calls.clear_queue)
    retire_lane = Awaited(queue_calls.retire_lane)

    dead = Awaited(dead_task_calls.dead)
    redrive = Awaited(dead_task_calls.redrive)

    group = Awaited(group_calls.group)
    group_waited = Awaited(group_calls.group_waited)
    cancel_group = Awaited(group_calls.cancel_group)

    create_schedule = Awaited(schedule_calls.create_schedule)
    schedules = Awaited(schedule_calls.schedules)
    each_schedule = AwaitedPages(schedule_calls.schedules)
    schedule = Awaited(schedule_calls.schedule)
    edit_schedule = Awaited(schedule_calls.edit_schedule)
    run_schedule = Awaited(schedule_calls.run_schedule)
    pause_schedule = Awaited(schedule_calls.pause_schedule)
    resume_schedule = Awaited(schedule_calls.resume_schedule)
    delete_schedule = Awaited(schedule_calls.delete_schedule)

    callbacks = Awaited(callback_calls.callbacks)
    each_callback = AwaitedPages(callback_calls.callbacks)
    redrive_callbacks = Awaited(callback_calls.redrive_callbacks)

    health = Awaited(service_calls.health)
    whoami = Awaited(service_calls.whoami)
    findings = Awaited(service_calls.findings)
    parked = Awaited(service_calls.parked)
    parked_message = Awaited(service_calls.parked_message)
