"""Which function does which type of task."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from coordinator.errors import InvalidRequest
from coordinator.protocol.limits import check_id
from coordinator.protocol.requirements import ANY_TYPE

from .context import Task

__all__ = ["Handler", "HandlerFunction", "Handlers"]

HandlerFunction = Callable[[Task], Any] | Callable[[Task], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Handler:
    function: Callable[[Task], Any]
    asynchronous: bool
    """Runs on the event loop; a plain function runs in a thread, so that it blocks nothing."""

    @classmethod
    def of(cls, function: HandlerFunction) -> Handler:
        asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object whose call is a coroutine
        )
        return cls(function, asynchronous)


class Handlers:
    """One handler for each type, and at most one for all other types."""

    def __init__(self) -> None:
        self._by_type: dict[str, Handler] = {}
        self._default: Handler | None = None

    def add(self, task_type: str | None, function: HandlerFunction) -> None:
        """None is the default handler. Raises `ValueError` where there is one already, and
        `InvalidRequest` for a type that cannot be announced.
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
