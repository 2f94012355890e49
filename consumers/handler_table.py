"""Finds the handler function for a task type."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from coordinator.errors import InvalidRequest
from coordinator.protocol.id_limits import check_id
from coordinator.protocol.requirements import ANY_TYPE

from ._values.model_input import ModelInput, misfit
from ._values.printable_text import class_name, text_of
from .outcome import TaskDataMismatch
from .task import Task

__all__ = ["Handler", "HandlerFunction", "HandlerTable"]

MAX_SHOWN = 200

HandlerFunction = Callable[..., Any] | Callable[..., Awaitable[Any]]
"""Takes the task, a pydantic model of its data, or both."""


@dataclass(frozen=True, slots=True)
class Handler:
    """Keeps the function of an author, and where it is to run."""

    function: Callable[[Task], Any]
    """Takes the task also where that of the author takes a model."""
    asynchronous: bool
    """Runs on the event loop; a plain function runs in a thread, so that it blocks nothing."""

    @classmethod
    def of(cls, function: HandlerFunction) -> Handler:
        """Raises `TypeError` for what cannot be a handler, as far as that can be seen."""
        if not callable(function):
            raise TypeError(f"a handler is a function, not {class_name(function)}")
        called = _called(function)
        if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
            raise TypeError(
                f"the handler {text_of(function, MAX_SHOWN)} yields, and an agent takes one result:"
                " return a list; to tell of steps, call task.progress"
            )
        asynchronous = any(map(inspect.iscoroutinefunction, (function, called)))
        return cls(_taking_task(function, asynchronous), asynchronous)


def _taking_task(function: HandlerFunction, asynchronous: bool) -> Callable[[Task], Any]:
    """``function`` itself, or one that makes its model first, where the handler is to run."""
    given = ModelInput.of(function)
    if given is None:
        return function

    def arguments(task: Task) -> tuple[Any, ...]:
        try:
            return given.arguments(task, task.data)
        except ValidationError as exc:
            raise TaskDataMismatch(misfit(exc)) from exc

    async def coroutine(task: Task) -> Any:
        return await function(*arguments(task))

    def plain(task: Task) -> Any:
        return function(*arguments(task))

    return coroutine if asynchronous else plain


def _called(function: Any) -> Any:
    """The function that runs when ``function`` is called, as far as that can be seen: a decorator may
    make anything of what it wraps.
    """
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, staticmethod):
            function = function.__func__
        elif inspect.isroutine(function) or inspect.isclass(function):
            return function
        else:
            return getattr(function, "__call__", function)  # noqa: B004 - its call may be a coroutine


class HandlerTable:
    """Holds one handler for each task type, and at most one for all other types."""

    def __init__(self) -> None:
        self._by_type: dict[str, Handler] = {}
        self._default: Handler | None = None

    def add(self, task_type: str | None, function: HandlerFunction) -> None:
        """None is the default handler. Raises `ValueError` where there is one already, `TypeError` for
        what is no handler, and `InvalidRequest` for a type that cannot be announced.
        """
        handler = Handler.of(function)
        if task_type is not None:
            check_id(task_type, "the type of a task", field="task_type")
        if task_type == ANY_TYPE:
            raise InvalidRequest(
                f"{ANY_TYPE!r} stands for all types that nobody does: use @agent.default",
                field="task_type",
            )
        if task_type is None:
            if self._default is not None:
                raise ValueError("this agent has a default handler already")
            self._default = handler
        elif task_type in self._by_type:
            raise ValueError(f"this agent has a handler for {task_type!r} already")
        else:
            self._by_type[task_type] = handler

    def find(self, task_type: str | None) -> Handler | None:
        """That of the type, else the default handler; None where there is neither."""
        if task_type is None:
            return self._default
        return self._by_type.get(task_type, self._default)

    @property
    def types(self) -> list[str]:
        """The types that have a handler of their own, sorted."""
        return sorted(self._by_type)

    @property
    def announced(self) -> list[str]:
        """As a registration tells them: the types, and `any` for a default handler."""
        return [*self.types, *([ANY_TYPE] if self._default else [])]

    @property
    def any_plain(self) -> bool:
        """Whether one of them needs a thread."""
        handlers = [*self._by_type.values(), *([self._default] if self._default else [])]
        return any(not handler.asynchronous for handler in handlers)
