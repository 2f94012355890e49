"""Calls the API by blocking: `Client`."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from .bound_calls import Blocking, BlockingPages
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
from .drivers.blocking_driver import BlockingDriver
from .drivers.client_options import DEFAULT_URL, Tls, client_options
from .exchange.programs import Circumstances, Program, asked
from .exchange.retry_rule import Retries
from .models.accepted_tasks import Accepted
from .models.stream_items import EventsMissing, StreamedEvent, StreamReset, TaskStreamItem
from .models.tasks import NewTask, Task, TaskOptions
from .several_tasks import accepted_ones, by_id
from .task_handle import TaskHandle

__all__ = ["Client"]

Result = TypeVar("Result")


class Client:
    """Talks to one coordinator, or to several behind one address. May be used by several threads at once."""

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        tls: Tls | None = None,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``base_url`` may have a path. ``key`` is an API key or a JWT; where it is not given, that of
        `COORDINATOR_KEY`, or of the file that `COORDINATOR_KEY_FILE` names; an empty one is none.
        ``transport`` is for tests. Raises `Misconfigured`. Opens nothing yet.
        """
        options = client_options(base_url, key, tls, retries)
        self._options = options
        self._driver = BlockingDriver(options, transport)
        self.now = Circumstances(retries=options.retries)

    def __repr__(self) -> str:
        return f"Client({self._options.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._driver.close()

    def run(self, program: Program[Result]) -> Result:
        """For calls of one's own: what ``program`` returns."""
        return self._driver.run(program)

    def items(self, program: Program[None]) -> Generator[Any, None, None]:
        """For programs of one's own: what ``program`` emits."""
        return self._driver.items(program)

    # Submitting

    def submit(
        self,
        task: NewTask | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> TaskHandle:
        """Submit a task: its data with ``options``, or a `NewTask`. It is sent again until it is answered,
        and is one task however often. Give an ``idempotency_key`` of your own to be as safe over a restart
        of your program.
        """
        call = submission.submission(task, idempotency_key=idempotency_key, **options)
        return TaskHandle(self, self.run(asked(call, self.now)))

    def submit_many(
        self,
        tasks: Iterable[NewTask | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        batch_size: int = submission.MOST_TASKS,
    ) -> list[TaskHandle]:
        """Submit many, in as few requests as the service allows; the handles are in the order of ``tasks``.
        Raises `NotAllAccepted` where some were refused; the others were submitted.
        """
        program = submission.submit_all(
            tasks, self.now, idempotency_key=idempotency_key, batch_size=batch_size
        )
        return accepted_ones(self.run(program), lambda one: TaskHandle(self, one))

    def handle(self, task_id: str) -> TaskHandle:
        """For a task that was submitted before. Asks nothing."""
        return TaskHandle(self, Accepted(task_id=task_id))

    # Waiting

    def wait(self, task_id: str, timeout: float | None = None) -> Task:
        """The task at its end. Raises `WaitTimedOut` after ``timeout`` seconds."""
        return self.run(task_waiting.wait(task_id, self.now, timeout))

    def as_completed(
        self, handles: Iterable[TaskHandle], timeout: float | None = None
    ) -> Generator[TaskHandle, None, None]:
        """Each handle as its task ends, however it ends, over one connection. Raises `WaitTimedOut` after
        ``timeout`` seconds, counted from the first that is asked for.
        """
        waiting = by_id(handles)
        for task in self.items(many_endings.endings(waiting, self.now, timeout)):
            for handle in waiting[task.task_id]:
                handle.ended = task
                yield handle

    def wait_all(self, handles: Iterable[TaskHandle], timeout: float | None = None) -> list[Task]:
        """All tasks at their ends, in the order of ``handles``. Raises `WaitTimedOut` where some go on."""
        every = list(handles)
        for _ in self.as_completed([one for one in every if one.ended is None], timeout):
            pass
        return [one.wait() for one in every]

    # Streams

    def stream(
        self, task_id: str, *, after: int | None = None, timeout: float | None = None
    ) -> Generator[TaskStreamItem, None, None]:
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
    ) -> Generator[StreamedEvent | EventsMissing | StreamReset, None, None]:
        """Every event that matches, from now on or from the position ``after`` on, without an end. Who does
        not ``follow`` is given what there is, without a position all that is kept, and then it is over.
        """
        return self.items(
            event_streams.events(self.now, after=after, follow=follow, timeout=timeout, **filters)
        )

    # One call each

    task = Blocking(task_calls.task)
    answer = Blocking(task_calls.answer)
    cancel = Blocking(task_calls.cancel)
    retry = Blocking(task_calls.retry)
    delete = Blocking(task_calls.delete)
    explain = Blocking(task_calls.explain)
    timeline = Blocking(task_calls.timeline)
    tasks = Blocking(task_calls.tasks)
    agents_tasks = Blocking(task_calls.agents_tasks)
    each_task = BlockingPages(task_calls.tasks)
    each_of_timeline = BlockingPages(task_calls.timeline)

    agent = Blocking(agent_calls.agent)
    agents = Blocking(agent_calls.agents)
    each_agent = BlockingPages(agent_calls.agents)
    discover = Blocking(agent_calls.discover)
    drain = Blocking(agent_calls.drain)
    declare_status = Blocking(agent_calls.declare_status)
    remove_agent = Blocking(agent_calls.remove_agent)

    queue_sizes = Blocking(queue_calls.queue_sizes)
    queue_stats = Blocking(queue_calls.queue_stats)
    statistics = Blocking(queue_calls.statistics)
    clear_queue = Blocking(queue_calls.clear_queue)
    retire_lane = Blocking(queue_calls.retire_lane)

    dead = Blocking(dead_task_calls.dead)
    redrive = Blocking(dead_task_calls.redrive)

    group = Blocking(group_calls.group)
    group_waited = Blocking(group_calls.group_waited)
    cancel_group = Blocking(group_calls.cancel_group)

    create_schedule = Blocking(schedule_calls.create_schedule)
    schedules = Blocking(schedule_calls.schedules)
    each_schedule = BlockingPages(schedule_calls.schedules)
    schedule = Blocking(schedule_calls.schedule)
    edit_schedule = Blocking(schedule_calls.edit_schedule)
    run_schedule = Blocking(schedule_calls.run_schedule)
    pause_schedule = Blocking(schedule_calls.pause_schedule)
    resume_schedule = Blocking(schedule_calls.resume_schedule)
    delete_schedule = Blocking(schedule_calls.delete_schedule)

    callbacks = Blocking(callback_calls.callbacks)
    each_callback = BlockingPages(callback_calls.callbacks)
    redrive_callbacks = Blocking(callback_calls.redrive_callbacks)

    health = Blocking(service_calls.health)
    whoami = Blocking(service_calls.whoami)
    findings = Blocking(service_calls.findings)
    parked = Blocking(service_calls.parked)
    parked_message = Blocking(service_calls.parked_message)
