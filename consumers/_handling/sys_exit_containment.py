"""Makes the asyncio tasks that handlers start, in which `sys.exit` ends nothing but the task.

`asyncio` lets a SystemExit or KeyboardInterrupt of a task through to whoever runs the event loop, which
ends the program. Here it goes only to whoever awaits the task, like any other exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .._process.stop_signals import may_be_ctrl_c

__all__ = ["IN_HANDLER", "tasks_contained"]

IN_HANDLER: ContextVar[bool] = ContextVar("IN_HANDLER", default=False)
"""True in a handler, and in the tasks and callbacks that come of it."""


@contextmanager
def tasks_contained(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Contain the tasks that handlers start in ``loop``. A loop that has a task factory keeps it, and
    its tasks behave as that decides.
    """
    factory = loop.get_task_factory()
    if factory is None:
        factory = _ContainedTasks()
        loop.set_task_factory(factory)
    if not isinstance(factory, _ContainedTasks):
        yield
        return
    factory.users += 1
    try:
        yield
    finally:
        factory.users -= 1
        if not factory.users and loop.get_task_factory() is factory:
            loop.set_task_factory(None)


class _ContainedTasks:
    """A task factory; the tasks of others are plain ones."""

    def __init__(self) -> None:
        self.users = 0
        """Agents at work in the loop."""

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        if IN_HANDLER.get() and isinstance(coro, Coroutine):
            return _ContainedTask(coro, loop=loop, **options)
        return asyncio.Task(coro, loop=loop, **options)


class _Exited(Exception):
    """Carries an exception that `asyncio` would not keep to the task."""

    def __init__(self, exc: BaseException) -> None:
        super().__init__(repr(exc))
        self.exc = exc


class _Carrying(Coroutine[Any, Any, Any]):
    """A coroutine, but for what it raises. It has no step of its own: one that is cancelled before it has
    begun has been told so.
    """

    def __init__(self, coro: Coroutine[Any, Any, Any]) -> None:
        self.coro = coro

    def send(self, value: Any) -> Any:
        try:
            return self.coro.send(value)
        except (SystemExit, KeyboardInterrupt) as exc:
            raise _carried(exc) from exc

    def throw(self, *error: Any) -> Any:
        try:
            return self.coro.throw(*error)
        except (SystemExit, KeyboardInterrupt) as exc:
            raise _carried(exc) from exc

    def close(self) -> None:
        self.coro.close()

    def __await__(self) -> Generator[Any, None, Any]:
        return self.coro.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.coro, name)  # its name and frame, for whoever prints the task


def _carried(exc: BaseException) -> BaseException:
    return exc if may_be_ctrl_c(exc) else _Exited(exc)


class _ContainedTask(asyncio.Task[Any]):
    """Whoever awaits it, or asks for its result, gets what its coroutine has raised."""

    def __init__(self, coro: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._own = coro
        super().__init__(_Carrying(coro), **options)

    def get_coro(self) -> Coroutine[Any, Any, Any]:
        return self._own

    def result(self) -> Any:
        try:
            return super().result()
        except _Exited as exited:
            raise exited.exc from None

    def exception(self) -> BaseException | None:
        exc = super().exception()
        return exc.exc if isinstance(exc, _Exited) else exc

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from super().__await__())
        except _Exited as exited:
            raise exited.exc from None

    __iter__ = __await__
